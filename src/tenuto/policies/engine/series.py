"""The slow path, once for all kinds of functions: what happens after something went wrong.

It is a generator that neither calls nor sleeps. It yields what is to be done: a number, to sleep
for that many seconds, or a function, to call with the caller's arguments; it is sent how that call
ended. Who drives it decides whether that means blocking, awaiting or iterating. Dropped halfway,
it gives back what it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

from tenuto.clock import SYSTEM_CLOCK, Clock

from .circuit import Circuit
from .contracts import FallbackTerms, RetryTerms
from .lineage import giving_up
from .outcome import Outcome
from .progress import Progress
from .steps import Step, Steps

__all__ = ["Guarded", "series"]


@dataclass(frozen=True, slots=True)
class Guarded:
    """A function and what guards it, outermost first."""

    function: Callable[..., Any]
    name: str
    fallback: FallbackTerms | None
    retry: RetryTerms | None
    circuit: Circuit | None

    @property
    def clock(self) -> Clock:
        """Where waits are spent."""
        return SYSTEM_CLOCK if self.retry is None else self.retry.clock


def series(
    guarded: Guarded,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    outcome: Outcome | None = None,
    given_up_before: int | None = None,
) -> Steps:
    """The calls that one call of the guarded function becomes; returns how it ended.

    ``outcome`` is that of the first attempt, if it has been made, and settled with the circuit;
    ``given_up_before`` is ``giving_up.count`` from before that attempt.
    """
    retry = guarded.retry
    if retry is not None:
        progress = Progress(
            retry,
            retry.name or guarded.name,
            (guarded.function, args, kwargs),
            given_up_before=giving_up.count if given_up_before is None else given_up_before,
            begun=outcome is not None,
        )
    while True:
        if outcome is None:
            outcome = yield from _attempt(guarded)
        wait = None if retry is None else progress.judge(outcome)
        if wait is None:
            break
        # Nothing of a failed attempt outlives it: its frames may hold a lot.
        outcome.error = None
        outcome = None
        yield wait
        progress.begin_again()
    fallback, error = guarded.fallback, outcome.error
    if fallback is None or error is None or not outcome.replayable or not fallback.covers(error):
        return outcome
    fallback.announce(error, guarded.name)
    substitute = yield fallback.function
    assert substitute is not None
    if substitute.error is not None and substitute.error.__context__ is None:
        substitute.error.__context__ = error
    return substitute


def _attempt(guarded: Guarded) -> Generator[Step, Outcome | None, Outcome]:
    if guarded.circuit is not None:
        return (yield from guarded.circuit.attempt(guarded.function, guarded.name))
    outcome = yield guarded.function
    assert outcome is not None
    return outcome
