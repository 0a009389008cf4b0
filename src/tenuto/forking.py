"""What outlives ``os.fork``: before one, nobody is in the middle of anything.

Neither a SQLite connection, nor a socket, nor a lock may be carried through a fork while it is in
use, and threads stay with the parent. Before a fork all that is told of it comes to rest; after it,
the child lets go of what is the parent's, and begins with its own when it needs them.
"""

from __future__ import annotations

import os
import threading
from typing import Protocol
from weakref import WeakSet

__all__ = ["Forkable", "survive_forks"]


class Forkable(Protocol):
    """What is told about forks. None of the three may raise."""

    def rest(self) -> None: ...
    def resume(self) -> None: ...
    def begin_anew_in_child(self) -> None: ...


_all: WeakSet[Forkable] = WeakSet()
_resting: list[Forkable] = []
_forking = threading.Lock()  # two threads that fork at once would wait for each other's rest


def survive_forks(what: Forkable) -> None:
    """Tell ``what`` about every fork for as long as it lives."""
    _all.add(what)


def _before() -> None:
    _forking.acquire()
    _resting[:] = list(_all)
    for each in _resting:
        each.rest()


def _in_parent() -> None:
    for each in reversed(_resting):
        each.resume()
    _resting.clear()
    _forking.release()


def _in_child() -> None:
    for each in reversed(_resting):
        each.begin_anew_in_child()
    _resting.clear()
    _forking.release()


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
