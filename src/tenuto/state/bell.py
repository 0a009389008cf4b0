"""What wakes a thread, and may be rung from anywhere at any time."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue

__all__ = ["Bell"]


class Bell(threading.Event):
    """An event with one thread that waits for it.

    The collector may close an abandoned call at any allocation, which gives its permit back and
    rings: also in the middle of ringing, where the lock of an ordinary event is held by the same
    thread, and would be waited for for ever.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rings: SimpleQueue[None] = SimpleQueue()

    def is_set(self) -> bool:
        return not self._rings.empty()

    def set(self) -> None:
        if self._rings.empty():
            self._rings.put(None)

    def clear(self) -> None:
        while self.wait(0.0):
            pass

    def wait(self, timeout: float | None = None) -> bool:
        try:
            self._rings.get(timeout=timeout)
        except Empty:
            return False
        return True
