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

_LONGEST_CHAIN = 32  # of contexts: a ring of them has no end


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
    *,
    progress: Progress | None = None,
) -> Steps:
    """The calls that one call of the guarded function becomes; returns how it ended.

    ``outcome`` is that of the first attempt, if it has been made, and settled with the circuit;
    ``given_up_before`` is ``giving_up.count`` from before that attempt. ``progress`` is that of a
    call that has been going on for more than one.
    """
    function, retry, circuit = guarded.function, guarded.retry, guarded.circuit
    if retry is not None and progress is None:
        progress = Progress(
            retry,
            retry.name or guarded.name,
            (function, args, kwargs),
            giving_up.count if given_up_before is None else given_up_before,
            begun=outcome is not None,
        )
    while True:
        if outcome is None:
            if circuit is None:
                outcome = yield function
                assert outcome is not None
            else:
                outcome = yield from circuit.attempt(function, guarded.name, args, kwargs)
        wait = None if progress is None else progress.judge(outcome)
        if progress is None or wait is None:
            break
        # Nothing of a failed attempt outlives it: its frames may hold a lot.
        outcome.error = None
        outcome = None
        yield wait
        progress.begin_again()
    if guarded.fallback is not None and outcome.error is not None:
        outcome = yield from _substitutes(guarded.fallback, guarded.name, outcome)
    return outcome


def _substitutes(
    fallback: FallbackTerms, name: str, outcome: Outcome
) -> Generator[Step, Outcome | None, Outcome]:
    """One substitute after the other, until one does not fail."""
    for link in fallback.links:
        error = outcome.error
        if error is None or not outcome.replayable:
            break
        if not link.covers(error):
            continue
        link.announce(error, name)
        substitute = yield link.function
        assert substitute is not None
        _tell_origin(substitute.error, error)
        outcome = substitute
    return outcome


def _tell_origin(error: BaseException | None, origin: BaseException) -> None:
    """Let a substitute's ``error`` show what the substitute stood in for."""
    if error is None or error.__context__ is not None:
        return
    earlier: BaseException | None = origin
    for _ in range(_LONGEST_CHAIN):
        if earlier is error:  # the same object, raised again: the chain would be a ring
            return
        if earlier is None:
            break
        earlier = earlier.__context__
    error.__context__ = origin
