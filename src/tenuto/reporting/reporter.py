"""ErrorReporter: an exception goes in, and is in the journal when the call returns."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tenuto.capture import (
    ErrorEvent,
    capture,
    captured_context,
    claim,
    identify,
    message_of,
    sketch,
    stamp,
)
from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.journal import Journal

from .delivery import Gatherer, Subscriber
from .log import LogLines
from .pump import PUMP, Attachment

__all__ = ["ErrorReporter"]

_DEEPEST = 3  # reports within a report: an error's own __str__, or a signal handler, may report


class ErrorReporter:
    """Captures errors into a journal, and has them told to the log from there.

    Without a ``journal``, the user's own is opened at the first error: the folder that
    ``TENUTO_JOURNAL`` names, else one for the state of programs. ``log=False`` keeps silent.
    ``readers`` are told of the journal as well, such as a ``SentryReader``.
    """

    def __init__(
        self,
        service_name: str | None = None,
        *,
        journal: Journal | None = None,
        clock: Clock = SYSTEM_CLOCK,
        log: bool = True,
        readers: Sequence[Subscriber | Gatherer] = (),
    ) -> None:
        self.service_name = service_name
        self._clock = clock
        self._journal = journal
        self._owns_journal = journal is None
        self._subscribers: Sequence[Subscriber | Gatherer] = [
            *([LogLines()] if log else []),
            *readers,
        ]
        self._attachment: Attachment | None = None
        self._opening = threading.Lock()
        self._nesting = threading.local()

    @property
    def journal(self) -> Journal:
        """Where the errors are kept."""
        if self._journal is None or self._attachment is None:
            return self._attach()
        return self._journal

    @property
    def given_journal(self) -> Journal | None:
        """The journal it was given; None where it opens the user's own when there is an error."""
        return None if self._owns_journal else self._journal

    def report(
        self, error: BaseException, context: Mapping[str, object] | None = None
    ) -> ErrorEvent:
        """Keep ``error``, with ``context`` and that of the scopes around. Never raises.

        One exception object is one event: who reports it again adds context to it. Repeats of a
        fault that is known well enough are counted instead of stored; the event returned for one
        has the frames of the event that it was counted with.
        """
        depth: int = getattr(self._nesting, "depth", 0)
        if depth >= _DEEPEST:
            return self._give_up(error, "<reported while it was being reported>")
        self._nesting.depth = depth + 1
        try:
            return self._report(error, context)
        except Exception as failure:  # whatever is wrong here must not reach the guarded call
            return self._give_up(error, f"<lost: reporting it raised {type(failure).__name__}>")
        finally:
            self._nesting.depth = depth

    def close(self) -> None:
        """Tell the log what is left, and let go of a journal that was opened here."""
        with self._opening:
            attachment, self._attachment = self._attachment, None
        if attachment is not None:
            PUMP.detach(attachment)

    def _report(self, error: BaseException, context: Mapping[str, object] | None) -> ErrorEvent:
        journal = self.journal
        if claim(error):
            return self._store(journal, error, context)
        event = capture(error, context=context, service=self.service_name, clock=self._clock)
        if event.context:
            journal.annotate(event.id, event.context)
        return event

    def _store(
        self, journal: Journal, error: BaseException, context: Mapping[str, object] | None
    ) -> ErrorEvent:
        kept = captured_context(context)
        folded = journal.fold(identify(error, kept), kept)
        if folded is None:
            event = capture(error, context=context, service=self.service_name, clock=self._clock)
            journal.append(event)
            return event
        like, number = folded
        return replace(
            like,
            id=stamp(error, f"{like.id}-{number}"),
            time=self._clock.now(),
            service=self.service_name,
            message=message_of(error),
            context=kept,
            thread=threading.current_thread().name,
        )

    def _give_up(self, error: BaseException, message: str) -> ErrorEvent:
        if self._journal is not None:
            self._journal.count_loss(message)
        return replace(sketch(error, message, clock=self._clock), service=self.service_name)

    def _attach(self) -> Journal:
        with self._opening:
            if self._journal is None:
                self._journal = Journal(clock=self._clock)
            if self._attachment is None:
                self._attachment = PUMP.attach(
                    self._journal, self._subscribers, owned=self._owns_journal
                )
                # The counts of a reporter that is dropped unclosed are told all the same.
                finalizer = weakref.finalize(self, PUMP.retire, self._attachment)
                finalizer.atexit = False
            return self._journal
