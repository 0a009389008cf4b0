"""The share of recent calls that failed, over a number of calls or a length of time.

Successes are reported in lumps, by whoever counted them, so that a success itself costs no more
than a counter: nothing can trip on a success, so nothing has to be worked out before a failure.
"""

from __future__ import annotations

import math

__all__ = ["CountWindow", "TimeWindow"]

_BUCKETS = 10  # of a time window: its edge is as sharp as a tenth of its length


class CountWindow:
    """The last ``size`` calls, one bit each; a set bit is a failure."""

    __slots__ = ("_bits", "_mask", "_size", "calls")

    turn = math.inf
    """When the window has to hear of successes at the latest. Never: their order is enough."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._mask = (1 << size) - 1
        self._bits = 0
        self.calls = 0
        """How many calls are in the window."""

    @property
    def failures(self) -> int:
        """How many of them failed."""
        return self._bits.bit_count()

    def note(self, successes: int, failures: int, now: float) -> None:  # noqa: ARG002  # one signature for both windows
        """First ``successes`` calls went well, then ``failures`` failed."""
        shift = min(successes + failures, self._size)
        failed = (1 << min(failures, self._size)) - 1
        self._bits = ((self._bits << shift) | failed) & self._mask
        self.calls = min(self.calls + shift, self._size)


class TimeWindow:
    """The calls of the last ``seconds``, in ten buckets, the newest of which is filling."""

    __slots__ = ("_failures", "_slot", "_span", "_successes", "turn")

    def __init__(self, seconds: float, now: float) -> None:
        self._span = seconds / _BUCKETS
        self._slot = math.floor(now / self._span)
        self._successes = [0] * _BUCKETS
        self._failures = [0] * _BUCKETS
        self.turn = (self._slot + 1) * self._span
        """When the newest bucket is full: successes from then on belong to the next one."""

    @property
    def calls(self) -> int:
        """How many calls are in the window."""
        return sum(self._successes) + sum(self._failures)

    @property
    def failures(self) -> int:
        """How many of them failed."""
        return sum(self._failures)

    def note(self, successes: int, failures: int, now: float) -> None:
        """``successes`` calls went well before ``turn``; then, at ``now``, ``failures`` failed."""
        self._successes[self._slot % _BUCKETS] += successes
        self._move_to(math.floor(now / self._span))
        self._failures[self._slot % _BUCKETS] += failures

    def _move_to(self, slot: int) -> None:
        for emptied in range(max(self._slot + 1, slot - _BUCKETS + 1), slot + 1):
            self._successes[emptied % _BUCKETS] = self._failures[emptied % _BUCKETS] = 0
        self._slot = max(slot, self._slot)
        self.turn = (self._slot + 1) * self._span
