"""What Tenuto asks of a clock."""

from __future__ import annotations

import threading
from typing import Protocol

__all__ = ["Clock"]


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

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Block this thread until ``event`` is set, or for ``seconds``; whether it is set."""
        ...

    async def async_sleep(self, seconds: float) -> None:
        """Suspend this task."""
        ...
