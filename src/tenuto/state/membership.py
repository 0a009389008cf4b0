"""Who takes part in a state: members, found by name, and held weakly."""

from __future__ import annotations

import threading
from weakref import WeakSet

from .contract import After, Member, Reply
from .naming import escaped

__all__ = ["Members"]


class Members:
    """The members of one node.

    ``lock`` is held while they compose and take in, which takes no time and calls no user code, so
    that none is in the middle of it when the process forks.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.nonsense = 0
        """Answers and news that made no sense."""
        self._all: WeakSet[Member] = WeakSet()

    def __len__(self) -> int:
        return len(self._all)

    def add(self, member: Member) -> None:
        """Let ``member`` be found."""
        with self.lock:
            self._all.add(member)

    def all(self) -> list[Member]:
        """Those that are alive."""
        with self.lock:
            return list(self._all)

    def hear(self, name: str, news: Reply) -> list[After]:
        """Have all take ``news`` in whose escaped name is ``name``; what is left to do then."""
        called = [each for each in self.all() if escaped(each.name) == name]
        afters = [self.take(each, ("", "0", *news)) for each in called]
        return [after for after in afters if after is not None]

    def take(self, member: Member, reply: Reply) -> After | None:
        """Have ``member`` take ``reply`` in."""
        with self.lock:
            try:
                return member.take(reply)
            except ValueError:  # who else writes to that server, and what, nobody knows
                self.nonsense += 1
                return None
