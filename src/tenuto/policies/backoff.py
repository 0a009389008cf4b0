"""How long to wait between attempts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, get_args

from tenuto.clock import Clock
from tenuto.errors import ConfigurationError

from .rules import check_number

__all__ = ["Backoff", "Shape", "Wait"]

Shape: TypeAlias = Literal["exponential", "linear", "fixed", "fibonacci", "decorrelated"]


class CallSoFar(Protocol):
    """What a backoff looks at."""

    attempt_number: int
    upcoming_sleep: float
    clock: Clock


class Wait(Protocol):
    """Seconds to wait, by how the call has gone so far. Every ``tenacity.wait_*`` is one."""

    def __call__(self, state: Any, /) -> float: ...


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that grow in a named shape, in seconds.

    With *n* the number of the attempt that failed, the wait is at most ``initial`` times
    2^(n-1) (exponential), n (linear), 1 (fixed), or the n-th Fibonacci number; never more than
    ``maximum``. With ``jitter``, chance takes off up to half of it, so that callers that failed
    together do not come back together. ``decorrelated`` is chance itself: between ``initial`` and
    three times the wait before (M. Brooker, "Exponential Backoff And Jitter", AWS, 2015).
    """

    shape: Shape = "exponential"
    initial: float = 0.5
    maximum: float = 30.0
    jitter: bool = True

    def __post_init__(self) -> None:
        if self.shape not in get_args(Shape):
            raise ConfigurationError("backoff", f"give one of {', '.join(get_args(Shape))}")
        check_number("initial", self.initial, least=0.0)
        check_number("maximum", self.maximum, least=self.initial)

    def __str__(self) -> str:
        return f"{self.shape} from {self.initial:g} s"

    def __call__(self, state: CallSoFar, /) -> float:
        if self.shape == "decorrelated":
            before = max(self.initial, state.upcoming_sleep)
            spread = state.clock.random() * (3.0 * before - self.initial)
            return min(self.maximum, self.initial + spread)
        if not self.initial:
            return 0.0
        longest = min(self.maximum, self.initial * self._factor(state.attempt_number))
        return longest * (1.0 - 0.5 * state.clock.random()) if self.jitter else longest

    def _factor(self, number: int) -> float:
        if self.shape == "exponential":
            return 2.0 ** min(number - 1, 64)  # bounded: a float overflows at 2^1024
        if self.shape == "linear":
            return number
        if self.shape == "fibonacci":
            return _fibonacci(min(number, 90))
        return 1.0


def _fibonacci(number: int) -> int:
    before, current = 0, 1
    for _ in range(number - 1):
        before, current = current, before + current
    return current
