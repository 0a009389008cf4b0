"""The one clock, sleeper and source of chance.

Whatever in Tenuto needs the time, a pause or a random number takes a ``Clock``, so that a day of
failures can be simulated in milliseconds.
"""

from __future__ import annotations

import random
import time
from typing import Protocol

__all__ = ["SYSTEM_CLOCK", "Clock", "SimulatedClock", "SystemClock"]


class Clock(Protocol):
    """Time, pauses and chance. All times are in seconds."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC. For people to read; never for logic: it can jump."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment. Never goes back."""
        ...

    def random(self) -> float:
        """A number in [0, 1)."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        ...

    async def async_sleep(self, seconds: float) -> None:
        """Suspend this task."""
        ...


class SystemClock:
    """The real one."""

    # Plain attributes, not methods: the hot path calls ``monotonic``.
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    random = staticmethod(random.random)
    sleep = staticmethod(time.sleep)

    @staticmethod
    async def async_sleep(seconds: float) -> None:
        import asyncio

        await asyncio.sleep(seconds)


SYSTEM_CLOCK: Clock = SystemClock()


class SimulatedClock:
    """A clock that moves only when told to, or when somebody sleeps on it; seeded chance.

    Sleeping returns at once and moves the time on by as much. ``sleeps`` lists every pause asked
    for, in seconds. One thread, or one event loop, at a time.
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

    async def async_sleep(self, seconds: float) -> None:
        import asyncio

        self.sleep(seconds)
        await asyncio.sleep(0)  # a real sleep lets other tasks run
