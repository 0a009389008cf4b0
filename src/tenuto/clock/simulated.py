"""The clock that moves only when told to."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenuto.clock.loop import SimulatedLoop

__all__ = ["SimulatedClock"]


class SimulatedClock:
    """A clock that moves only when told to, or when somebody sleeps on it; seeded chance.

    Sleeping returns at once and moves the time on by as much. ``sleeps`` lists every pause asked
    for, in seconds. One thread, or one event loop, at a time. On a loop from ``new_event_loop``
    several tasks sleep at once, each until its own moment.
    """

    def __init__(self, start: float = 1_700_000_000.0, *, seed: int = 0) -> None:
        self._start = start
        self._elapsed = 0.0
        self._random = random.Random(seed)
        self.sleeps: list[float] = []

    def now(self) -> float:
        return self._start + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed

    def random(self) -> float:
        return self._random.random()

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self._elapsed += seconds

    def set_wall_clock(self, now: float) -> None:
        """Set the wall clock, as an administrator might; ``monotonic`` does not notice."""
        self._start = now - self._elapsed

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.advance(max(0.0, seconds))

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Return at once, moving time on by ``seconds`` unless ``event`` is set.

        With no limit of time it really waits: only another thread can end that.
        """
        if seconds is None:
            return event.wait()
        if not event.is_set():
            self.advance(max(0.0, seconds))
        return event.is_set()

    async def async_sleep(self, seconds: float) -> None:
        import asyncio

        if getattr(asyncio.get_running_loop(), "clock", None) is self:
            self.sleeps.append(seconds)
            await asyncio.sleep(seconds)
        else:
            self.sleep(seconds)
            await asyncio.sleep(0)  # a real sleep lets other tasks run

    def new_event_loop(self) -> SimulatedLoop:
        """An ``asyncio`` event loop whose time is this clock's.

        Whatever waits on it for time to pass takes no real time: ``asyncio.sleep``, ``timeout``,
        ``wait_for``. Use it as ``asyncio.Runner(loop_factory=clock.new_event_loop)``.
        """
        from tenuto.clock.loop import SimulatedLoop

        return SimulatedLoop(self)
