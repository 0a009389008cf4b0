"""Threads for work that nobody may be waiting for any more."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

__all__ = ["Crew"]


class Crew:
    """Daemon threads, started as they are needed, kept, and never more than ``most``.

    Daemon threads, because work that hangs must not keep the interpreter from ending. There is no
    queue: a job is begun at once or not taken.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._begin()
        os.register_at_fork(after_in_child=self._begin)  # threads do not survive a fork

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0
        self._free = 0
        self._jobs: SimpleQueue[Callable[[], object]] = SimpleQueue()

    def take(self, job: Callable[[], object]) -> bool:
        """Begin ``job``, which must not raise; False if every thread is busy."""
        with self._lock:
            if self._free:
                self._free -= 1
            elif self._threads < self._most:
                threading.Thread(target=self._work, name="tenuto-hedge", daemon=True).start()
                self._threads += 1
            else:
                return False
        self._jobs.put(job)
        return True

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            job()
            del job  # nothing of it is kept while there is nothing to do
            with self._lock:
                self._free += 1
