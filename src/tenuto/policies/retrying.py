"""``for attempt in Retry(): with attempt: …``: a retry around a block."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Any, Self

from .deadline import deadline
from .engine.contracts import RetryTerms
from .engine.drive import pause, pause_async
from .engine.lineage import giving_up
from .engine.outcome import Outcome
from .engine.progress import Progress

__all__ = ["Retrying", "Trial"]


class Retrying:
    """The attempts of one loop, plain or async. They end with the first that is final."""

    __slots__ = ("_progress", "_retry", "_trial", "_until")

    def __init__(self, retry: RetryTerms) -> None:
        self._retry = retry
        self._progress = Progress(
            retry, retry.name or "retry", (None, (), {}), giving_up.count, begun=False
        )
        self._until = None if retry.deadline is None else self._progress.start_time + retry.deadline
        self._trial: Trial | None = None

    def __iter__(self) -> Retrying:
        return self

    def __aiter__(self) -> Retrying:
        return self

    def __next__(self) -> Trial:
        wait = self._wait()
        if wait is None:
            raise StopIteration
        if self._trial is not None:
            pause(wait, self._retry.clock)
        return self._begin()

    async def __anext__(self) -> Trial:
        wait = self._wait()
        if wait is None:
            raise StopAsyncIteration
        if self._trial is not None:
            await pause_async(wait, self._retry.clock)
        return self._begin()

    def _wait(self) -> float | None:
        return 0.0 if self._trial is None else self._trial.wait

    def _begin(self) -> Trial:
        if self._trial is not None:
            self._progress.begin_again()
        self._trial = Trial(self._progress, self._until)
        return self._trial


class Trial:
    """One attempt of a loop: ``with attempt:`` is what may have to be repeated.

    A block that fails is left quietly if it will be repeated; otherwise the error passes on.
    """

    __slots__ = ("_handled", "_limit", "_progress", "_result", "_until", "number", "wait")

    def __init__(self, progress: Progress, until: float | None) -> None:
        self._progress = progress
        self._until = until
        self._limit: AbstractContextManager[None] | None = None
        self._handled: BaseException | None = None
        self._result: Outcome | None = None
        self.number = progress.attempt_number
        """Counted from 1."""
        self.wait: float | None = None
        """Seconds until the next attempt, once this one has failed; None: there is none."""

    def set_result(self, value: Any) -> None:
        """Let ``retry_if_result`` and its like judge ``value``. A block without one is accepted."""
        self._result = Outcome(value)

    def __enter__(self) -> Self:
        self._handled = sys.exception()  # by the caller: no ancestor of what goes wrong inside
        if self._until is not None:
            clock = self._progress.clock
            self._limit = deadline(max(0.0, self._until - clock.monotonic()), clock=clock)
            self._limit.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        handled, self._handled = self._handled, None
        outcome = self._result if error is None else Outcome(None, error)
        self._result = None
        if outcome is None:
            self._progress.succeed()
        else:
            self.wait = self._progress.judge(outcome, handled)
        if self._limit is not None:
            with suppress(ValueError):  # an async generator, closed by another task
                self._limit.__exit__(None, None, None)
        final = None if outcome is None or self.wait is not None else outcome.error
        if outcome is not None:
            outcome.error = None  # the frames in its traceback would keep it, and it them
        if final is None or final is error:
            return self.wait is not None
        try:
            raise final
        finally:
            del final, error
