"""Load shedding as a machine: how much of the traffic is too much, and whose calls those are.

How much is said by the client-side throttling of "Site Reliability Engineering" (B. Beyer et al.,
2016), chapter 21, "Handling Overload": of ``requests`` in the last two minutes the dependency
accepted ``accepts``, so that the share

    max(0, (requests - k * accepts) / (requests + 1))

is not worth sending. Whose calls those are follows from the criticality of the same chapter: those
of the least important calls, as far as there are any, then of the next.
"""

from __future__ import annotations

import math
from enum import IntEnum

__all__ = ["Priority", "Shedder"]

_BUCKETS = 10  # of the window: its edge is as sharp as a tenth of its length


class Priority(IntEnum):
    """How much a call matters: the criticalities of the SRE book. The least is shed first."""

    SHEDDABLE = 0
    """May fail often, and for a long time."""
    SHEDDABLE_PLUS = 1
    """May fail now and then: batch work that is repeated."""
    CRITICAL = 2
    """Users notice when it fails."""
    CRITICAL_PLUS = 3
    """Failing it is worse than anything else."""


_LEVELS = len(Priority)


class Shedder:
    """Counts the calls of the last ``seconds`` whose end is known, in ten buckets.

    A call that was shed ends when it is. One that is under way counts as nothing yet: it would
    look as if it had been turned away.
    """

    __slots__ = (
        "_accepted",
        "_requests",
        "_slot",
        "_span",
        "_turn",
        "accepts",
        "counts",
        "k",
        "requests",
    )

    def __init__(self, k: float, seconds: float, now: float) -> None:
        self.k = k
        self._span = seconds / _BUCKETS
        self._slot = math.floor(now / self._span)
        self._turn = (self._slot + 1) * self._span
        self._requests = [[0] * _LEVELS for _ in range(_BUCKETS)]
        self._accepted = [0] * _BUCKETS
        self.counts = [0] * _LEVELS
        """Calls in the window, by priority."""
        self.requests = 0
        """Calls in the window."""
        self.accepts = 0
        """How many of them the dependency accepted."""

    @property
    def calm(self) -> bool:
        """Whether nothing was to be shed when the last call ended. Takes no lock and no clock."""
        return self.requests <= self.k * self.accepts

    def rejection(self, now: float) -> float:
        """The share of all calls that is shed at ``now``: the formula."""
        if now >= self._turn:
            self._move_to(now)
        return max(0.0, (self.requests - self.k * self.accepts) / (self.requests + 1))

    def share(self, priority: Priority, now: float) -> float:
        """How many of the calls of ``priority`` are shed at ``now``, as a share.

        Weighted by the calls of each priority, these shares add up to ``rejection``.
        """
        rejection = self.rejection(now)
        if rejection == 0.0:
            return 0.0
        left = rejection * self.requests - sum(self.counts[:priority])
        # Where nobody of this priority has called yet, this call is all there is of it.
        return min(1.0, max(0.0, left / max(1, self.counts[priority])))

    def note(self, priority: Priority, now: float, *, accepted: bool) -> None:
        """A call was accepted by the dependency, or turned away, by it or by this."""
        if now >= self._turn:
            self._move_to(now)
        bucket = self._slot % _BUCKETS
        self._requests[bucket][priority] += 1
        self.counts[priority] += 1
        self.requests += 1
        if accepted:
            self._accepted[bucket] += 1
            self.accepts += 1

    def _move_to(self, now: float) -> None:
        slot = math.floor(now / self._span)
        for entered in range(max(self._slot + 1, slot - _BUCKETS + 1), slot + 1):
            bucket = entered % _BUCKETS
            self.accepts -= self._accepted[bucket]
            self._accepted[bucket] = 0
            for priority, count in enumerate(self._requests[bucket]):
                self.requests -= count
                self.counts[priority] -= count
                self._requests[bucket][priority] = 0
        self._slot = max(slot, self._slot)
        self._turn = (self._slot + 1) * self._span
