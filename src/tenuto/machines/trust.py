"""Ways to do something that fail time after time: done without, and tried again after a while.

What fails three times in a row may be broken, or may have met with something that has passed since.
To find out which costs one trial, so it is made now and then, and the more seldom the longer it
stays broken, or the more often it breaks again.
"""

from __future__ import annotations

from collections import Counter

__all__ = ["Trust"]


class Trust:
    """Which ways are withdrawn. Times are in seconds, of any one clock.

    ``fatal`` failures in a row withdraw a way. It is due for a trial ``pause`` seconds later, and
    then after twice as long each time, up to ``longest``.
    """

    __slots__ = ("_due", "_failures", "_fatal", "_longest", "_pause", "_pauses")

    def __init__(self, fatal: int = 3, pause: float = 60.0, longest: float = 3_600.0) -> None:
        self._fatal = fatal
        self._pause = pause
        self._longest = longest
        self._failures: Counter[str] = Counter()
        self._pauses: dict[str, float] = {}
        self._due: dict[str, float] = {}

    @property
    def withdrawn(self) -> tuple[str, ...]:
        """The ways that are not to be used, in the order in which they were withdrawn."""
        return tuple(self._due)

    def failed(self, way: str, now: float) -> None:
        """A piece of work failed on that ``way``."""
        self._failures[way] += 1
        if self._failures[way] >= self._fatal and way not in self._due:
            self.withdraw(way, now)

    def worked(self, way: str) -> None:
        """A piece of work, or a trial, got through on that ``way``: it may be used, if it was not.

        How long it was waited for is remembered: one that works only now and then is not to be
        tried as often as one that is in order.
        """
        self._failures.pop(way, None)
        self._due.pop(way, None)

    def withdraw(self, way: str, now: float) -> None:
        """It is known to fail, or a trial of it did: do without it, and ask again later."""
        pause = self._pauses.get(way, self._pause)
        self._due[way] = now + pause
        self._pauses[way] = min(self._longest, 2 * pause)

    def due(self, now: float) -> str | None:
        """A way that is to be tried again, if there is one."""
        return next((way for way, due in self._due.items() if now >= due), None)
