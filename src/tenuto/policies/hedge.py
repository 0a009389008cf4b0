"""``Hedge``: where an answer is slow to come, ask once more, and take whichever is first."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import ParamSpec, TypeVar

from tenuto.clock import SYSTEM_CLOCK, Clock

from .engine.hedging import hedged
from .events import Listener, hook_failed
from .rules import check_number

__all__ = ["Hedge"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Hedge:
    """Start another copy of a call that has not answered for ``delay`` seconds.

    The first success is the answer. A copy that fails decides nothing while others run; where all
    fail, the caller gets the first copy's error, with notes on the others. Only for calls that may
    be made twice.

    Copies of a coroutine function are tasks, and cancelled when they are not needed any more.
    Copies of a plain function run in threads of a small shared crew, with the caller's context
    variables; a thread cannot be stopped, so one that is not needed runs on, and nobody listens.

    Raises ConfigurationError when it is built with settings that make no sense, or put around a
    generator function.
    """

    delay: float | Callable[[], float]
    """In seconds, or a function that returns them, such as a quantile of what calls took so far.
    A call for which it returns infinity is not hedged."""
    max_hedges: int = 1
    """Copies in addition to the first, each ``delay`` after the one before."""
    name: str | None = None
    """For events and notes; the guarded function's name by default."""
    _: KW_ONLY
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)
    on_event: Listener | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not callable(self.delay):
            check_number("delay", self.delay, least=0.0)
        check_number("max_hedges", self.max_hedges, least=1, whole=True)

    def __str__(self) -> str:
        copies = "1 more copy" if self.max_hedges == 1 else f"{self.max_hedges} more copies"
        if callable(self.delay):
            return f"Hedge({copies} after {getattr(self.delay, '__name__', 'a')}() s)"
        return f"Hedge({copies} after {self.delay:g} s)"

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return hedged(function, self)

    def pause(self) -> float | None:
        """Seconds to wait for an answer before the next copy; None: there shall be none."""
        try:
            delay = float(self.delay() if callable(self.delay) else self.delay)
        except Exception as broken:  # a rule's bug must not cost the user the call
            hook_failed(broken)
            return None
        return max(0.0, delay) if delay < math.inf else None
