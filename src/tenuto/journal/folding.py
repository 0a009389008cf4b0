"""Repeats of one fault are counted, not stored: a storm costs increments, not rows.

Of each group a process keeps the first 32 events whole, and after that one in ten seconds. Every
other occurrence is folded into the last one kept, as one more in the count of its *slice*.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tenuto.capture import ErrorEvent, Plain

__all__ = ["Folds"]

_WHOLE_AT_FIRST = 32.0
_WHOLE_EVERY = 10.0  # seconds
_GROUPS = 512
_SAMPLES = 4  # contexts of repeats, per slice
_MESSAGE_LIMIT = 500  # characters


@dataclass(slots=True)
class _Slice:
    """The repeats of one kept event."""

    kept: ErrorEvent
    count: int = 0
    revision: int = 0
    first: float = 0.0
    last: float = 0.0
    contexts: list[Mapping[str, Plain]] = field(default_factory=list)

    def add(self, now: float, context: Mapping[str, Plain]) -> int:
        # The wall clock may be set back.
        self.first = now if self.count == 0 else min(self.first, now)
        self.last = max(self.last, now)
        self.count += 1
        if self.count <= _SAMPLES:
            self.contexts.append(context)
        return self.count

    def tell(self) -> dict[str, Any]:
        self.revision += 1
        return {
            "event_id": self.kept.id,
            "fingerprint": self.kept.fingerprint,
            "service": self.kept.service,
            "type": self.kept.type,
            "message": self.kept.message[:_MESSAGE_LIMIT],
            "where": self.kept.where,
            "fault_class": self.kept.fault_class.value,
            "severity": self.kept.severity.name.lower(),
            "count": self.count,
            "revision": self.revision,
            "first": self.first,
            "last": self.last,
            "contexts": self.contexts,
        }


@dataclass(slots=True)
class _Group:
    """What may still be kept whole of a group, and its current slice."""

    slice: _Slice
    whole: float
    since: float

    def may_keep(self, monotonic: float) -> bool:
        earned = (monotonic - self.since) / _WHOLE_EVERY
        self.whole = min(_WHOLE_AT_FIRST, self.whole + max(0.0, earned))
        self.since = monotonic
        if self.whole < 1.0:
            return False
        self.whole -= 1.0
        return True


class Folds:
    """The groups this process has met lately. For many threads."""

    def __init__(self) -> None:
        # Reentrant: a signal handler may report an error in the middle of counting one.
        self._lock = threading.RLock()
        self._groups: OrderedDict[str, _Group] = OrderedDict()
        self._dirty: dict[str, _Slice] = {}

    def keep(self, event: ErrorEvent, monotonic: float) -> None:
        """``event`` is stored whole: what follows of its group is folded into it."""
        with self._lock:
            group = self._groups.get(event.fingerprint)
            if group is None:
                self._groups[event.fingerprint] = _Group(
                    _Slice(event), _WHOLE_AT_FIRST - 1.0, monotonic
                )
                if len(self._groups) > _GROUPS:
                    self._groups.popitem(last=False)
            else:
                group.slice = _Slice(event)

    def fold(
        self, fingerprint: str, context: Mapping[str, Plain], now: float, monotonic: float
    ) -> tuple[ErrorEvent, int] | None:
        """Count a repeat; the event it is folded into, and its number among the repeats.

        None if it is to be captured and stored whole: its group is new, or due for a fresh look.
        """
        with self._lock:
            group = self._groups.get(fingerprint)
            if group is None or group.may_keep(monotonic):
                return None
            part = group.slice
            self._dirty[part.kept.id] = part
            return part.kept, part.add(now, context)

    def take_dirty(self) -> list[dict[str, Any]]:
        """The slices that have grown since the last call, as they stand."""
        with self._lock:
            grown = [part.tell() for part in self._dirty.values()]
            self._dirty.clear()
            return grown
