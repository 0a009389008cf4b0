"""The rate limit as a machine: a bucket that drains at a steady rate, and turns reserved ahead.

The generic cell rate algorithm (ITU-T I.371, annex A). Its theoretical arrival time, the moment at
which the bucket would be empty, is kept as a level at a moment: levels are small numbers, and a sum
of small numbers is exact where a sum of moments, weeks after the clock began, is not.

Whatever the order of events, the calls that start in any ``T`` seconds cost at most
``burst + T * calls / per``.
"""

from __future__ import annotations

import math
from collections import deque

__all__ = ["Bucket", "Turn"]

_GRAIN = 1e-9  # seconds: no wait is shorter, for no clock that has run for a while can tell
_SLACK = 1e-12  # of a burst, for costs that are no binary fractions


class Turn:
    """A call's place: it may start at ``start``, and not before."""

    __slots__ = ("at", "cancelled", "cost", "level", "start")

    def __init__(self, start: float, cost: float) -> None:
        self.start = start
        self.cost = cost
        self.cancelled = False
        self.at = self.level = 0.0
        """What the bucket held, and when, without this call and those after it."""


class Bucket:
    """``calls`` per ``per`` seconds, in bursts of up to ``burst``; empty at first.

    A call may cost more or less than 1. Turns are given in the order they are asked for, and a turn
    that was given never moves: its owner sleeps, and needs nobody to wake it.
    """

    __slots__ = ("_at", "_burst", "_last", "_level", "_rate", "_room", "_stale", "_turns")

    def __init__(self, calls: float, per: float, burst: float) -> None:
        self._tune(calls, per, burst)
        self._level = 0.0
        """What calls have cost and has not drained at ``_at``, those to come included."""
        self._at = 0.0
        self._last = -math.inf
        """When the last of the turns starts that lie ahead; past, if there is none."""
        self._turns: deque[Turn] = deque()
        self._stale = False
        """Whether some of them have been cancelled since the level was worked out."""

    def take(self, now: float, cost: float = 1.0) -> bool:
        """Let a call start at once; False: it would have to wait, and nothing is taken."""
        if self._stale:
            self._count_again()
        if now + _GRAIN < self._last:
            return False
        level = self._level - (now - self._at) * self._rate
        level = level + cost if level > 0.0 else cost
        if level > self._room:
            return False
        self._start(now, level)
        return True

    def wait(self, now: float, cost: float = 1.0) -> float:
        """Seconds until a call that is next in line may start; infinite: it never fits."""
        if cost > self._room:
            return math.inf
        if self._stale:
            self._count_again()
        level = self._level_at(now) + cost
        ahead = 0.0 if level <= self._room else (level - self._burst) / self._rate
        wait = max(ahead, self._last - now)
        return wait if wait > _GRAIN else 0.0

    def reserve(self, now: float, cost: float = 1.0) -> Turn:
        """The next turn, ``wait(now, cost)`` seconds from now, for a call that fits at all."""
        wait = self.wait(now, cost)
        turn = Turn(now + wait, cost)
        if wait == 0.0:
            self._start(now, self._level_at(now) + cost)
            return turn
        while self._turns and self._turns[0].start <= now:
            self._turns.popleft()
        self._level, self._at = self._level_at(now), now
        self._append(turn)
        return turn

    def cancel(self, turn: Turn, now: float) -> None:
        """Give back a turn that will not be used, as far as that is sound. Idempotent.

        Turns behind it keep their time, so that what it frees goes to calls yet to come, after
        all that have a turn. A turn whose time has come is spent.
        """
        if now < turn.start and not turn.cancelled:
            turn.cancelled = self._stale = True

    def retune(self, calls: float, per: float, burst: float, now: float) -> None:
        """Go by another rate from now on. What is in the bucket stays, and so does every turn.

        Turns from before can no longer be given back.
        """
        if self._stale:
            self._count_again()
        self._turns.clear()
        self._level, self._at = self._level_at(now), now
        self._tune(calls, per, burst)

    def _tune(self, calls: float, per: float, burst: float) -> None:
        self._rate = calls / per
        self._burst = burst
        self._room = burst * (1.0 + _SLACK) + self._rate * _GRAIN

    def _level_at(self, now: float) -> float:
        return max(0.0, self._level - (now - self._at) * self._rate)

    def _start(self, now: float, level: float) -> None:
        """Nobody waits any more: whoever did has had the turn."""
        self._level, self._at = level, now
        if self._turns:
            self._turns.clear()

    def _append(self, turn: Turn) -> None:
        turn.level, turn.at = self._level, self._at
        self._turns.append(turn)
        self._last = turn.start
        # What would have drained by then cannot be used before: nobody overtakes.
        self._level = max(self._level, (turn.start - self._at) * self._rate) + turn.cost

    def _count_again(self) -> None:
        """Work out what the bucket holds without the turns that were cancelled.

        Once for many of them: those who wait may all leave at once.
        """
        self._stale = False
        if not self._turns:
            return
        turns, self._turns = self._turns, deque()
        self._level, self._at, self._last = turns[0].level, turns[0].at, -math.inf
        for turn in turns:
            if not turn.cancelled:
                self._append(turn)
