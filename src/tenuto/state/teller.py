"""Tells the server what members have to say, and the members what it answers."""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple
from weakref import WeakSet

from tenuto.clock import Clock

from .bell import Bell
from .contract import Member, Operation
from .line import Line, Unreachable
from .membership import Members
from .work import do

__all__ = ["Teller"]

_MOST_WAITING = 1000  # operations; what a probe found out is worth nothing once its lease is over
_AT_ONCE = 200  # operations


class _Told(NamedTuple):
    member: Member
    operation: Operation


class Teller:
    """Everybody reports every ``every`` seconds, and whoever is touched at once.

    A report tells what is so, whatever was told before, so that it matters to nobody how many of
    them have arrived. What has to arrive is posted, and sent until it has.
    """

    def __init__(self, line: Line, members: Members, clock: Clock, every: float) -> None:
        self.line = line
        self.due = Bell()
        self.failed = 0
        self.lost = 0
        """How much was given up, because too much waited or the server refused it."""
        self._members = members
        self._clock = clock
        self._every = every
        self._everybody_at = clock.monotonic() + every
        self._lock = threading.RLock()  # the collector may post something at any allocation
        self._posted: deque[_Told] = deque()
        self._touched: WeakSet[Member] = WeakSet()  # what is gone has nothing to report

    @property
    def waiting(self) -> int:
        """How many operations have not been sent."""
        return len(self._posted)

    def touch(self, *members: Member) -> None:
        """Have ``members`` report."""
        with self._lock:
            self._touched.update(members)
        self.due.set()

    def post(self, member: Member, operation: Operation) -> None:
        """Have ``operation`` done, and ``member`` take the answer in."""
        with self._lock:
            if len(self._posted) >= _MOST_WAITING:
                self._posted.popleft()
                self.lost += 1
            self._posted.append(_Told(member, operation))
        self.due.set()

    def step(self) -> float:
        if self._clock.monotonic() >= self._everybody_at:
            self._everybody_at = self._clock.monotonic() + self._every
            self.touch(*self._members.all())
            self.due.clear()
        if not self._tell():
            return self.line.pause
        if self._posted or self._touched:
            return 0.0
        return max(0.0, self._everybody_at - self._clock.monotonic())

    def end(self) -> None:
        for member in self._members.all():
            self.post(member, member.leave())
        self._tell()
        self.line.hang_up()

    def _tell(self) -> bool:
        """Tell what there is to be told; False, where the server does not hear it."""
        with self._lock:
            posted = list(self._posted)[:_AT_ONCE]
            touched = list(self._touched)[: _AT_ONCE - len(posted)]
            self._touched.difference_update(touched)
        with self._members.lock:
            reports = [_Told(member, member.report()) for member in touched]
        told = posted + reports
        if not told:
            return True
        try:
            answers = self.line.run([each.operation for each in told])
        except Unreachable:
            self.touch(*touched)
            self.due.clear()  # it is due when the line may be tried again
            return False
        with self._lock:
            for each in posted:
                if self._posted and self._posted[0] is each:
                    self._posted.popleft()
        for each, answer in zip(told, answers, strict=True):
            if isinstance(answer, Exception):
                self.lost += 1
            else:
                do(self._members.take(each.member, answer))
        return True
