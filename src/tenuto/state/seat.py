"""What one node knows of a circuit that a fleet shares. No clock, no lock, no input or output."""

from __future__ import annotations

import math
from typing import NamedTuple

from .contract import Reply

__all__ = ["News", "Seat"]

_LAST_ERA = 2.0**53  # beyond, a server counts no more
_LONGEST_FAULT = 200  # characters


class News(NamedTuple):
    """What a server says of a circuit. Lengths of time are in seconds."""

    verdict: str
    """Of one who asked to probe: ``granted``, ``refused`` or ``closed``; else empty."""
    wait: float
    """After which one who was refused may ask again."""
    era: int
    open: bool
    left: float
    """For how long it lets nobody through yet."""
    age: float
    """How long it has been open."""
    streak: int
    """How many probes have failed since it opened."""
    fault: str

    @classmethod
    def parse(cls, reply: Reply) -> News:
        """Raises ValueError for nonsense."""
        verdict, wait, era, is_open, left, age, streak, fault = reply
        return cls(
            verdict,
            _number(wait),
            int(_number(era)),
            is_open == "1",
            _number(left),
            _number(age),
            int(_number(streak)),
            fault[:_LONGEST_FAULT],
        )


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number) or not 0 <= number < _LAST_ERA:
        raise ValueError(text)
    return number


class Seat:
    """The last that was heard of the fleet's circuit. Times are by the node's own clock."""

    __slots__ = ("era", "fault", "open", "opened_at", "streak", "until", "voting")

    def __init__(self) -> None:
        self.era = 0
        self.open = False
        self.until = self.opened_at = 0.0
        self.streak = 0
        self.fault = ""
        self.voting = False
        """Whether this node's circuit has tripped by itself, and nobody else's."""

    def hear(self, news: News, now: float) -> bool:
        """Take ``news`` in; whether it is any."""
        if news.era <= self.era:
            return False
        self.era, self.open, self.streak, self.fault = news.era, news.open, news.streak, news.fault
        self.until, self.opened_at = now + news.left, now - news.age
        return True

    def told(self, now: float) -> tuple[float, float, float, float, float, str]:
        """What was heard, as it is told to a server that may know less."""
        left = max(0.0, self.until - now) if self.open else 0.0
        age = max(0.0, now - self.opened_at) if self.open else 0.0
        return self.era, int(self.open), left, age, self.streak, self.fault
