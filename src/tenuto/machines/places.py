"""A number of places, and a queue of those who wait for one: first come, first served.

A free place goes to whoever waits longest. Who asks later does not get in before, even where a
place is free just then.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["Places"]

T = TypeVar("T")


class Places(Generic[T]):
    """``limit`` places, and a queue for ``room`` tickets at most; any hashable is a ticket.

    Two things need no lock, because nothing can come between. Whoever sees that ``contested`` is
    false may take a place by ``free.pop()``, if there is one. Everybody gives one back by
    ``free.append(True)`` and then, where ``contested`` is true, sees by ``hand_out`` who gets it.
    That and the other methods need a lock. It has to be re-entrant where finalizers give places
    back: one may run in the midst of any method, and finds and leaves things in order.
    """

    __slots__ = ("free", "limit", "queue", "room", "surplus")

    limit: int
    """How many places there are. More may be taken for a while after ``resize``."""
    free: list[bool]
    """As many items as there are free places."""
    queue: OrderedDict[T, None]
    """Who waits, longest first."""
    room: int
    """How many may wait."""
    surplus: int
    """How many places are to go when they are given back."""

    def __init__(self, limit: int, room: int = 0) -> None:
        self.limit = limit
        self.free = [True] * limit
        self.queue = OrderedDict()
        self.surplus = 0
        self.room = room

    @property
    def taken(self) -> int:
        """How many places are not free."""
        return self.limit + self.surplus - len(self.free)

    @property
    def contested(self) -> bool:
        """Whether a free place may be spoken for."""
        return bool(self.queue or self.surplus)

    def take(self) -> bool:
        """Take a place, if one is free and nobody waits for it."""
        if self.queue or self.surplus:
            return False
        try:
            return self.free.pop()
        except IndexError:
            return False

    def join(self, ticket: T) -> bool:
        """Put ``ticket`` at the end of the queue; False: that is full."""
        if len(self.queue) >= self.room:
            return False
        self.queue[ticket] = None
        return True

    def leave(self, ticket: T) -> bool:
        """Take ``ticket`` out of the queue; False: it is not there, but has a place."""
        with suppress(KeyError):
            del self.queue[ticket]
            return True
        return False

    def hand_out(self) -> list[T]:
        """The tickets that free places go to now: each has its place, and has to be told."""
        lucky: list[T] = []
        while self.queue or self.surplus:
            try:
                self.free.pop()
            except IndexError:
                break
            if self.surplus:
                self.surplus -= 1
                continue
            try:
                lucky.append(self.queue.popitem(last=False)[0])
            except KeyError:  # a finalizer gave the last one another place, just now
                self.free.append(True)
        return lucky

    def resize(self, limit: int) -> list[T]:
        """Have ``limit`` places from now on; returns what ``hand_out`` does.

        Nobody loses a place: where too many are taken, the next to be given back go.
        """
        self.surplus += self.limit - limit
        self.limit = limit
        while self.surplus < 0:
            self.surplus += 1
            self.free.append(True)
        return self.hand_out()
