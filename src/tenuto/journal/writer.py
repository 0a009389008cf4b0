"""One process's way into the journal: never waits for another process, and never raises."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from tenuto.clock import Clock

from .durability import Durability
from .losses import Losses
from .spool import Row, Spool

__all__ = ["RING_FULL", "Writer"]

RING_FULL = "no room: neither on disk nor in memory"

_RING = 512  # records
_RETRY_AFTER = 1.0  # seconds without a try at a disk that failed
_ROTATE_IN_PEACE = 8 << 20  # bytes: at a flush, off the callers' path
_ROTATE_NOW = 64 << 20  # bytes


class Writer:
    """Appends to this process's spool; while that fails, to a bounded ring in memory.

    Records of one process are numbered in the order in which they were given, and reach the
    spools in that order.
    """

    def __init__(
        self, folder: Path, clock: Clock, losses: Losses, durability: Durability = "normal"
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._losses = losses
        self._durability: Durability = durability
        # Reentrant: a signal handler may report an error in the middle of an append.
        self.lock = threading.RLock()
        self._begin()

    def _begin(self) -> None:
        self.process = f"{os.getpid()}-{os.urandom(6).hex()}"
        self._numbers = count(1)
        self._files = count(1)
        self._spool: Spool | None = None
        self._retired: list[Spool] = []
        self._ring: deque[Row] = deque()
        self._retry_at = float("-inf")

    def write(self, records: Sequence[tuple[str, str]]) -> None:
        """Append (kind, body) pairs. They are durable on return, unless the disk fails."""
        with self.lock:
            rows = [(next(self._numbers), kind, body) for kind, body in records]
            if self._ring:
                self._keep(rows)
                self._empty_ring()
            elif not self._try(rows):
                self._keep(rows)

    def ring(self) -> list[Row]:
        """What no disk has taken yet."""
        with self.lock:
            return list(self._ring)

    def flush(self) -> None:
        """Offer the ring to the disk again, and begin a new spool where this one is long."""
        with self.lock:
            if self._ring:
                self._empty_ring()
            if self._spool is not None and self._spool.size >= _ROTATE_IN_PEACE:
                self._retire()
            retired, self._retired = self._retired, []
        for spool in retired:  # outside the lock: closing writes the whole file out
            self._close(spool)

    def close(self) -> None:
        """Leave the spool to the movers. A later write begins another."""
        with self.lock:
            self._retry_at = float("-inf")
            self._retire()
        self.flush()

    def begin_anew_in_child(self) -> None:
        """After a fork: what the parent holds is the parent's."""
        for spool in (*self._retired, *([self._spool] if self._spool else [])):
            spool.forget()
        self._begin()

    def _keep(self, rows: list[Row]) -> None:
        self._ring.extend(rows)
        surplus = max(0, len(self._ring) - _RING)
        for _ in range(surplus):
            self._ring.popleft()
        if surplus:
            self._losses.add(RING_FULL, surplus)

    def _empty_ring(self) -> None:
        if self._try(list(self._ring)):
            self._ring.clear()

    def _try(self, rows: list[Row]) -> bool:
        if self._spool is None and self._clock.monotonic() < self._retry_at:
            return False
        try:
            if self._spool is None:
                name = f"{self.process}-{next(self._files):06d}"
                self._spool = Spool(self.folder, name, self._durability)
            self._spool.append(rows)
        except (OSError, sqlite3.Error) as error:
            self._losses.add(f"disk trouble: {_reason(error)}")
            self._retire()  # what is in it already stays acknowledged
            self._retry_at = self._clock.monotonic() + _RETRY_AFTER
            return False
        if self._spool.size >= _ROTATE_NOW:
            self._retire()
        return True

    def _retire(self) -> None:
        if self._spool is not None:
            self._retired.append(self._spool)
            self._spool = None

    def _close(self, spool: Spool) -> None:
        try:
            spool.close()
        except sqlite3.Error as error:  # its rows are in the file, and its lock is open
            self._losses.add(f"disk trouble: {_reason(error)}")


def _reason(error: OSError | sqlite3.Error) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)
