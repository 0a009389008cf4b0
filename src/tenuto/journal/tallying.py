"""What happens too often to be stored each time is counted; the counts go out once a second."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any, TypeAlias

__all__ = ["OTHER", "Tallies"]

Key: TypeAlias = tuple[str, str, str]
"""The kind of policy, its name, and what it did."""

OTHER = "(other)"
"""The name that counts of ever new names are kept under."""

_KEYS = 4096


class Tallies:
    """The counts of this process: they only grow. For many threads."""

    def __init__(self) -> None:
        # Reentrant: a signal handler may count in the middle of counting.
        self._lock = threading.RLock()
        self._counts: Counter[Key] = Counter()
        self._grown: set[Key] = set()

    def add(self, key: Key, count: int) -> None:
        """Once more, or ``count`` times more."""
        with self._lock:
            if key not in self._counts and len(self._counts) >= _KEYS:
                key = (key[0], OTHER, key[2])  # names made at run time must not fill the memory
            self._counts[key] += count
            self._grown.add(key)

    def take_grown(self) -> list[dict[str, Any]]:
        """The counts that have grown since the last call, as they stand."""
        with self._lock:
            grown, self._grown = self._grown, set()
            return [
                {"policy": policy, "name": name, "what": what, "count": self._counts[key]}
                for key in sorted(grown)
                for policy, name, what in [key]
            ]
