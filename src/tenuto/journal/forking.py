"""Journals and ``os.fork``.

Neither a SQLite connection nor a lock may be carried through a fork while it is in use: before
one, every journal comes to rest; after it, the child lets go of what is the parent's.
"""

from __future__ import annotations

import os
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


def survive_forks(journal: Forkable) -> None:
    """Tell ``journal`` about every fork for as long as it lives."""
    _all.add(journal)


def _before() -> None:
    _resting[:] = list(_all)
    for journal in _resting:
        journal.rest()


def _in_parent() -> None:
    for journal in reversed(_resting):
        journal.resume()
    _resting.clear()


def _in_child() -> None:
    for journal in reversed(_resting):
        journal.begin_anew_in_child()
    _resting.clear()


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
