"""What happens to one recording on its way: attempts opened before they are made, errors kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tenuto.capture import ErrorEvent
from tenuto.journal import Attempt, AttemptEnd
from tenuto.reporting import ErrorReporter

from .faults import ShortageError, is_shortage
from .setbacks import Setbacks

__all__ = ["OnStep", "Trail"]

OnStep = Callable[[float], None]
"""Told before each piece of work how many seconds of sound it is about."""


class Trail:
    """The attempts and errors of one recording; ``work`` is its name in the journal.

    It has to ``make_do`` with the memory there is, or more is to be had if it asks for it.
    """

    def __init__(
        self,
        work: str,
        *,
        reporter: ErrorReporter,
        on_step: OnStep,
        on_load: OnStep,
        setbacks: Setbacks,
        make_do: bool,
    ) -> None:
        self._work = work
        self._reporter = reporter
        self._journal = reporter.journal
        self._on_step = on_step
        self._on_load = on_load
        self._make_do = make_do
        self.errors: list[str] = list(setbacks.errors)
        """Event ids, oldest first, each once."""
        self.reasons: list[str] = list(setbacks.reasons)
        """Sentences for people: why the outcome is what it is."""
        self.last: ErrorEvent | None = None
        """The last error, if there was one in this attempt."""

    @contextmanager
    def step(self, name: str, audio_seconds: float) -> Iterator[None]:
        """A step that may fail, or kill the process: the journal knows of it before it begins."""
        self.beat(audio_seconds)
        attempt = self._journal.open_attempt(Attempt(work=self._work, step=name))
        try:
            yield
        except Exception as error:  # it is only noted in passing
            event = self.caught(error, step=name)
            self._journal.close_attempt(attempt, AttemptEnd.FAILED, error_id=event)
            raise
        except BaseException:  # an interruption: the attempt proves nothing, but must not stay open
            self._journal.close_attempt(attempt, AttemptEnd.REFUSED)
            raise
        self._journal.close_attempt(attempt, AttemptEnd.SUCCEEDED)

    def beat(self, audio_seconds: float) -> None:
        """The work goes on, with a piece of so many seconds of sound."""
        self._on_step(audio_seconds)

    def load(self, audio_seconds: float) -> None:
        """The work goes on in the same way, and there may be something to load for it."""
        self._on_load(audio_seconds)

    def caught(self, error: BaseException, **context: object) -> str:
        """Keep ``error`` in the journal, once however often it is seen; its event id."""
        event = self._reporter.report(error, context)
        if event.id not in self.errors:
            self.errors.append(event.id)
            self.last = event  # as it was at first: that is what the journal has
        return event.id

    def ask_for_more(self, error: BaseException) -> None:
        """Raise ShortageError where ``error`` is a lack of memory, and more is to be had."""
        if is_shortage(error) and not self._make_do:
            raise ShortageError(resource="memory", errors=list(self.errors)) from error
