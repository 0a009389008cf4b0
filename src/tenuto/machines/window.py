"""The share of recent calls that were bad, over a number of calls or a length of time.

What is bad, a failure or slowness, is for whoever keeps the window. Good calls are reported in
lumps, by whoever counted them, so that one costs no more than a counter: nothing trips on a good
call, so nothing has to be worked out before a bad one.
"""

from __future__ import annotations

import math

__all__ = ["CountWindow", "TimeWindow"]

_BUCKETS = 10  # of a time window: its edge is as sharp as a tenth of its length


class CountWindow:
    """The last ``size`` calls, one bit each; a set bit is a bad call."""

    __slots__ = ("_bits", "_mask", "_size", "calls")

    turn = math.inf
    """When the window has to hear of good calls at the latest. Never: their order is enough."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._mask = (1 << size) - 1
        self._bits = 0
        self.calls = 0
        """How many calls are in the window."""

    @property
    def bad(self) -> int:
        """How many of them were bad."""
        return self._bits.bit_count()

    def resized(self, size: int) -> CountWindow:
        """A window of another size with what of this one it can hold."""
        window = CountWindow(size)
        window._bits = self._bits & window._mask
        window.calls = min(self.calls, size)
        return window

    def note(self, good: int, bad: int, now: float) -> None:  # noqa: ARG002  # one signature for both windows
        """First came ``good`` calls, then ``bad`` ones."""
        shift = min(good + bad, self._size)
        worse = (1 << min(bad, self._size)) - 1
        self._bits = ((self._bits << shift) | worse) & self._mask
        self.calls = min(self.calls + shift, self._size)


class TimeWindow:
    """The calls of the last ``seconds``, in ten buckets, the newest of which is filling."""

    __slots__ = ("_bad", "_good", "_slot", "_span", "turn")

    def __init__(self, seconds: float, now: float) -> None:
        self._span = seconds / _BUCKETS
        self._slot = math.floor(now / self._span)
        self._good = [0] * _BUCKETS
        self._bad = [0] * _BUCKETS
        self.turn = (self._slot + 1) * self._span
        """When the newest bucket is full: good calls from then on belong to the next one."""

    @property
    def calls(self) -> int:
        """How many calls are in the window."""
        return sum(self._good) + sum(self._bad)

    @property
    def bad(self) -> int:
        """How many of them were bad."""
        return sum(self._bad)

    def resized(self, seconds: float, now: float) -> TimeWindow:
        """A window of another length with what of this one it can hold, to the bucket."""
        window = TimeWindow(seconds, now)
        for age in range(_BUCKETS):
            middle = self.turn - (age + 0.5) * self._span
            slot = math.floor(min(middle, now) / window._span)
            if slot > window._slot - _BUCKETS:
                window._good[slot % _BUCKETS] += self._good[(self._slot - age) % _BUCKETS]
                window._bad[slot % _BUCKETS] += self._bad[(self._slot - age) % _BUCKETS]
        return window

    def note(self, good: int, bad: int, now: float) -> None:
        """``good`` calls ended before ``turn``; then, at ``now``, ``bad`` ones."""
        self._good[self._slot % _BUCKETS] += good
        self._move_to(math.floor(now / self._span))
        self._bad[self._slot % _BUCKETS] += bad

    def _move_to(self, slot: int) -> None:
        for emptied in range(max(self._slot + 1, slot - _BUCKETS + 1), slot + 1):
            self._good[emptied % _BUCKETS] = self._bad[emptied % _BUCKETS] = 0
        self._slot = max(slot, self._slot)
        self.turn = (self._slot + 1) * self._span
