"""Which workers a cluster has, and which of them can work at all.

A machine that has run out of something (files, disk, memory) fails at once, and so would be given
everything there is to do. It is left alone for a while, and named, while others do the work.
"""

from __future__ import annotations

from collections.abc import Mapping

from tenuto.clock import Clock

from .wire import Undone

__all__ = ["SPARED", "Workforce"]

SPARED = 10.0
"""Seconds that a worker gets nothing to do which could not do it."""

_ROUNDS = 5
"""Times in a row that there was nobody left who could work, after which there is no use in it."""


class Workforce:
    """``known`` are the threads of each worker by its address, as the scheduler told last."""

    def __init__(self, clock: Clock) -> None:
        self.known: Mapping[str, int] = {}
        self._clock = clock
        self._spared: dict[str, float] = {}
        self._rounds = 0
        self._named: set[str] = set()
        self._news: list[str] = []

    @property
    def threads(self) -> int:
        """How many attempts can be made at once; with no worker one waits for the next to come."""
        spared = self._still_spared()
        return max(1, sum(n for each, n in self.known.items() if each not in spared))

    def choice(self) -> list[str] | None:
        """To whom work may be given; None: to anybody. Empty: to nobody just now."""
        spared = self._still_spared()
        return [each for each in self.known if each not in spared] if spared else None

    def went_well(self) -> None:
        """Somebody has done something."""
        self._rounds = 0

    def spare(self, undone: Undone) -> str | None:
        """Leave a worker alone that could not work; why it is no use to go on, if it is none."""
        anew = undone.worker not in self._still_spared()
        self._spared[undone.worker] = self._clock.monotonic() + SPARED
        who = f"{undone.worker} on {undone.machine}"
        if undone.machine not in self._named:
            self._named.add(undone.machine)
            self._news.append(
                f"The cluster's worker at {who} cannot work: {undone.why}. "
                "What it had is given out again."
            )
        if anew and not self.choice():
            self._rounds += 1
        if self._rounds < _ROUNDS:
            return None
        return f"none of the cluster's workers can work; the last was {who}: {undone.why}"

    def news(self) -> list[str]:
        """What people ought to know, once."""
        news, self._news = self._news, []
        return news

    def _still_spared(self) -> dict[str, float]:
        now = self._clock.monotonic()
        self._spared = {each: until for each, until in self._spared.items() if until > now}
        return self._spared
