"""The real clock."""

from __future__ import annotations

import os
import random
import threading
import time

from tenuto.clock.contract import Clock

__all__ = ["SYSTEM_CLOCK", "SystemClock"]


# One of its own: where a program seeds the common one, its processes must not all wait alike.
_chance = random.Random()
os.register_at_fork(after_in_child=_chance.seed)


class SystemClock:
    """The real one."""

    # Plain attributes, not methods: the hot path calls ``monotonic``.
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    random = staticmethod(_chance.random)
    sleep = staticmethod(time.sleep)

    @staticmethod
    def wait(event: threading.Event, seconds: float | None) -> bool:
        return event.wait(seconds)

    @staticmethod
    async def async_sleep(seconds: float) -> None:
        import asyncio

        await asyncio.sleep(seconds)


SYSTEM_CLOCK: Clock = SystemClock()
