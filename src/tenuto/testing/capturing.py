"""Errors as a test sees them: in a list, and nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from tempfile import TemporaryDirectory

from tenuto.capture import ErrorEvent, Plain
from tenuto.journal import Journal
from tenuto.reporting import ErrorReporter

__all__ = ["captured_errors"]


@contextmanager
def captured_errors() -> Generator[list[ErrorEvent], None, None]:
    """Collect the errors that any ``ErrorReporter``, of any thread, reports in the block.

    The list grows as they come. Each error is in it whole and once, however many layers report
    it; its context is what all of them told. Journals are not written to, not even one that was
    given to the reporter, and the log is told nothing: ``handler.error_reporter.journal`` is a
    temporary one that goes with the block.
    """
    with TemporaryDirectory(prefix="tenuto-") as folder, _Notebook(folder) as notebook:
        _open.append(notebook)
        _set_journal(property(lambda _: _open[-1]))
        try:
            yield notebook.captured
        finally:
            if _open == [notebook]:  # blocks may be left in any order
                _set_journal(_ITS_OWN)
            _open.remove(notebook)


_ITS_OWN: property = vars(ErrorReporter)["journal"]
_open: list[_Notebook] = []


def _set_journal(attribute: property) -> None:
    # The product has no switch for this: it would have to be looked at with every error.
    type.__setattr__(ErrorReporter, "journal", attribute)


class _Notebook(Journal):
    """A journal that also lists what it is given, and folds nothing."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.captured: list[ErrorEvent] = []
        self._changing = threading.Lock()

    def append(self, event: ErrorEvent) -> None:
        super().append(event)
        self.captured.append(event)

    def fold(self, fingerprint: str, context: Mapping[str, Plain]) -> None:
        """Every error is kept whole: a test may look at any of them."""

    def annotate(self, event_id: str, context: Mapping[str, Plain]) -> None:
        super().annotate(event_id, context)
        with self._changing:
            for place, event in enumerate(self.captured):
                if event.id == event_id:
                    merged = {**event.context, **context}
                    self.captured[place] = replace(event, context=merged)
