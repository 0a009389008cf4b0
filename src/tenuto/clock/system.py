"""The real clock."""

from __future__ import annotations

import random
import threading
import time

from tenuto.clock.contract import Clock

__all__ = ["SYSTEM_CLOCK", "SystemClock"]


class SystemClock:
    """The real one."""

    # Plain attributes, not methods: the hot path calls ``monotonic``.
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    random = staticmethod(random.random)
    sleep = staticmethod(time.sleep)

    @staticmethod
    def wait(event: threading.Event, seconds: float | None) -> bool:
        return event.wait(seconds)

    @staticmethod
    async def async_sleep(seconds: float) -> None:
        import asyncio

        await asyncio.sleep(seconds)


SYSTEM_CLOCK: Clock = SystemClock()
