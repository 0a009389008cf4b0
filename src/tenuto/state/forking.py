"""States and ``os.fork``: before one, nobody is in the middle of anything.

The threads that look after a state stay with the parent. The child begins with connections and
threads of its own, when it needs them.
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


def survive_forks(what: Forkable) -> None:
    """Tell ``what`` about every fork for as long as it lives."""
    _all.add(what)


def _before() -> None:
    _resting[:] = list(_all)
    for each in _resting:
        each.rest()


def _in_parent() -> None:
    for each in reversed(_resting):
        each.resume()
    _resting.clear()


def _in_child() -> None:
    for each in reversed(_resting):
        each.begin_anew_in_child()
    _resting.clear()


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
