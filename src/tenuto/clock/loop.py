"""An event loop in simulated time. Imported only where one is made: it needs ``asyncio``."""

from __future__ import annotations

import asyncio
import selectors
from typing import Protocol

__all__ = ["MovableClock", "SimulatedLoop"]


class MovableClock(Protocol):
    """What the loop needs of its clock."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        ...

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        ...


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Waits for sockets and threads as any loop; waits for time by moving ``clock`` on."""

    def __init__(self, clock: MovableClock) -> None:
        self.clock = clock  # before the base class: it asks for the time
        super().__init__(_TimeMovingSelector(clock))

    def time(self) -> float:
        return self.clock.monotonic()


class _TimeMovingSelector(selectors.DefaultSelector):
    """Lets simulated time pass where another selector would wait for the time to pass."""

    def __init__(self, clock: MovableClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:  # no timer is set: only a socket or another thread can wake the loop
            return super().select()
        ready = super().select(0)
        if not ready and timeout > 0:
            self._clock.advance(timeout)
        return ready
