"""What was lost, by reason: a journal that loses something says so."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["Losses"]


class Losses:
    """Counts of this process, and which of them have been written down."""

    def __init__(self) -> None:
        self.begin_anew_in_child()

    def begin_anew_in_child(self) -> None:
        """After a fork: what was lost before is the parent's to tell."""
        # Reentrant: a signal handler may report an error in the middle of counting one.
        self._lock = threading.RLock()
        self._counts: Counter[str] = Counter()
        self._told: Counter[str] = Counter()

    def add(self, reason: str, count: int = 1) -> None:
        with self._lock:
            self._counts[reason] += count

    def seen(self) -> Mapping[str, int]:
        """How often each reason has struck in this process."""
        with self._lock:
            return MappingProxyType(dict(self._counts))

    def take_untold(self) -> dict[str, int]:
        """What has been added since the last call."""
        with self._lock:
            fresh = self._counts - self._told
            self._told = self._counts.copy()
            return dict(fresh)
