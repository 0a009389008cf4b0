"""The calls under way, so that one that hangs is noticed before it ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import Any, TypeAlias

from tenuto.machines import Pace, Permit
from tenuto.policies.events import hook_failed

from .contracts import Call

__all__ = ["Flights", "Limit"]

Limit: TypeAlias = float | Callable[[Call], float]

_call = partial(tuple.__new__, Call)  # a named tuple's own constructor takes twice as long

_LOOKS = 10  # in the time that a call may take: so late is a slow one noticed at most
_LOOK_EVERY = 0.1  # seconds, where that time depends on the call


class Flights:
    """When each call under way is late. For many threads, and without a lock.

    Whoever takes a call out counts it: it is either found overdue, or ends. Looking at all of them
    takes as long as there are calls, and so is done now and then, by a call that begins.
    """

    __slots__ = ("calls", "limit", "look_at", "next")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.calls: dict[int, tuple[float, Permit]] = {}
        """By number: when it is late, and what it was admitted under."""
        self.next = count().__next__
        """The number for a call."""
        self.look_at = -math.inf
        """When somebody should look for calls that are late."""

    def due(self, now: float, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> float:
        """When a call that begins now is late."""
        limit = self.limit
        if not callable(limit):
            return now + limit
        try:
            seconds = limit(_call((args, kwargs)))
            late = now + seconds if seconds >= 0.0 else None
        except Exception as broken:  # a rule's bug must not cost the user the call
            hook_failed(broken)
            return math.inf
        if late is None:
            hook_failed(ValueError(f"slow_after gave {seconds!r}"))
            return math.inf
        return late

    def begin(self, due: float, permit: Permit) -> int:
        """A call begins that is late after ``due``; its number."""
        number = self.next()
        self.calls[number] = due, permit
        return number

    def end(self, number: int, now: float) -> Pace:
        """A call has ended; how long it took."""
        flight = self.calls.pop(number, None)
        if flight is None:
            return Pace.TOLD
        return Pace.SLOW if now > flight[0] else Pace.FAST

    def overdue(self, now: float) -> list[Permit]:
        """The permits of the calls that are late, each of them once."""
        every = _LOOK_EVERY if callable(self.limit) else self.limit / _LOOKS
        self.look_at = now + every
        late = [number for number, (due, _) in list(self.calls.items()) if now > due]
        flights = [self.calls.pop(number, None) for number in late]
        return [flight[1] for flight in flights if flight is not None]
