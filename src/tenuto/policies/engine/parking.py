"""A call that waits in a queue, whether a thread makes it or a task."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Park", "Waiter"]


class Waiter:
    """One queued call. Whoever frees a place for it says so by ``grant``, holding no lock.

    Of ``grant`` and ``wake_by`` either may come first, from any thread: the call is woken at least
    once, and waking is idempotent.
    """

    __slots__ = ("_wake", "granted")

    def __init__(self) -> None:
        self.granted = False
        self._wake: Callable[[], object] | None = None

    def grant(self) -> None:
        """The place is its own."""
        self.granted = True
        if self._wake is not None:
            self._wake()

    def wake_by(self, wake: Callable[[], object]) -> None:
        """``wake`` is called once the place is granted; at once, if it has been."""
        self._wake = wake
        if self.granted:
            wake()


class Park(NamedTuple):
    """A step: wait until ``waiter`` is granted its place, ``seconds`` at most (None: no limit)."""

    waiter: Waiter
    seconds: float | None
