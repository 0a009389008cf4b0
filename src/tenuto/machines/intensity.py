"""Restart intensity: when a remedy has been tried too often in too short a time.

The rule is that of Erlang/OTP's supervisors: more than ``limit`` restarts within ``seconds`` mean
that restarting does not help, and the fault is handed one level up.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Intensity"]


class Intensity:
    """Counts restarts; OTP's own default is one in five seconds."""

    __slots__ = ("_seconds", "_times")

    def __init__(self, limit: int = 1, seconds: float = 5.0) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=limit + 1)

    def on(self, now: float) -> bool:
        """A restart at ``now``, in seconds. True: that was one too many, escalate."""
        self._times.append(now)
        full = len(self._times) == self._times.maxlen
        return full and now - self._times[0] <= self._seconds
