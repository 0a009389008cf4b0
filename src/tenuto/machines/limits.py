"""Limits of concurrency that find themselves, by how calls go.

Both algorithms work in rounds. A round is as many calls as the limit allows at once, all begun
since the limit was last set: what they show is what that limit did, and not what one before it did.

``Aimd`` looks at overload only: additive increase, multiplicative decrease, as TCP has it (D.-M.
Chiu and R. Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance in
Computer Networks", 1989; RFC 5681). Once a round, and not once a call, each of them.

``Gradient`` looks at latency too. Calls that take longer than they do without load are waiting
somewhere, so that fewer at once get as much done. The idea is TCP Vegas's (L. Brakmo and L.
Peterson, 1995), the formula that of ``Gradient2Limit`` in Netflix's concurrency-limits, with two
changes. The latency without load is not a long average, which follows an overload that lasts until
that seems normal. It is the least that was seen; and where nothing near it was seen for long, the
limit is lowered for one round to measure it anew, as Envoy's gradient controller does, and as BBR
does by its ProbeRTT. And the room to grow is the root of the limit, as in Envoy, not a constant.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

__all__ = ["Aimd", "Gradient", "LimitSettings", "Limiter", "Round"]

_DECREASE = 0.7  # of the limit, by overload: RFC 9438 (CUBIC), section 4.6
_FEWEST = 5  # calls in a round: fewer prove nothing
_SMOOTHING = 0.2  # the share of a new estimate in the limit: Gradient2Limit
_STEEPEST = 0.5  # the least gradient, so that outliers do no harm: Gradient2Limit
_STALE = 30  # rounds after which the latency without load is measured anew
_DIP = 0.25  # of the limit, while that is measured


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """What a limit keeps to."""

    minimum: int = 1
    maximum: int = 200
    tolerance: float = 1.5
    """How many times the latency without load is taken for normal."""


class Round:
    """The permit of the calls that begin under one value of a limit, and what they show."""

    __slots__ = ("free", "latencies", "number", "size")

    def __init__(self, number: int, limit: int) -> None:
        self.number = number
        self.size = max(_FEWEST, limit)
        """How many calls it takes."""
        self.free = limit
        """The fewest places that were free when one of them ended."""
        self.latencies: list[float] = []

    def note(self, latency: float, free: int) -> bool:
        """A call went well. True: that was enough of them. Needs no lock."""
        self.latencies.append(latency)
        self.free = min(self.free, free)  # threads may get it wrong by one: that does no harm
        return len(self.latencies) >= self.size


class Limiter(ABC):
    """A limit, and what moves it. Whoever lets threads share one holds a lock for its methods."""

    __slots__ = ("_estimate", "_lowered", "_settings", "latency", "limit", "round")

    limit: int
    """How many calls there may be at once."""
    round: Round
    """The permit of the calls that begin now."""
    latency: float | None
    """What a call of the last round took, in seconds, on average."""

    def __init__(self, settings: LimitSettings, initial: int) -> None:
        self._settings = settings
        self._estimate = float(initial)
        self._lowered = 0  # the first round after overload was last met
        self.limit = initial
        self.round = Round(0, initial)
        self.latency = None

    def turn(self, ended: Round) -> None:
        """Enough calls of a round went well. If it is not the last one, that changes nothing."""
        if ended is not self.round:
            return
        self.latency = math.fsum(ended.latencies) / len(ended.latencies)
        # Calls that leave half of the limit free say nothing about the other half.
        self._begin(self._judge(self.latency, used=2 * ended.free <= self.limit))

    def drop(self, begun: Round) -> None:
        """A call that began in that round met overload.

        Once the limit was lowered for it, others that had begun before say nothing new.
        """
        if begun.number >= self._lowered:
            self._estimate *= _DECREASE
            self._begin()
            self._lowered = self.round.number

    def retune(self, settings: LimitSettings) -> None:
        """Keep to other settings from now on."""
        self._settings = settings
        self._begin()

    @abstractmethod
    def _judge(self, latency: float, *, used: bool) -> int | None:
        """Move the estimate; returns the limit for the next round, where it is to be another."""
        ...

    def _begin(self, limit: int | None = None) -> None:
        least, most = self._settings.minimum, self._settings.maximum
        self._estimate = min(max(self._estimate, float(least)), float(most))
        self.limit = int(self._estimate) if limit is None else max(limit, least)
        self.round = Round(self.round.number + 1, self.limit)


class Aimd(Limiter):
    """One more after a round that used the limit and went well."""

    __slots__ = ()

    def _judge(self, latency: float, *, used: bool) -> int | None:  # noqa: ARG002  # no matter
        if used:
            self._estimate += 1
        return None


class Gradient(Limiter):
    """More while calls take about as long as without load, fewer while they take longer."""

    __slots__ = ("_baseline", "_dip", "_strained")

    def __init__(self, settings: LimitSettings, initial: int) -> None:
        super().__init__(settings, initial)
        self._baseline = math.inf  # latency without load
        self._dip = -1  # the round that measures it
        self._strained = _STALE  # rounds in a row that do not confirm it

    def _judge(self, latency: float, *, used: bool) -> int | None:
        if self.round.number == self._dip:
            self._baseline, self._strained = latency, 0
            return None
        first = self._baseline == math.inf
        self._baseline = min(self._baseline, latency)
        normal = self._baseline * self._settings.tolerance
        if latency > normal:
            self._strained += 1
        elif not first:  # which confirms nothing but itself
            self._strained = 0
        if not used:
            return None
        if not first:
            gradient = max(_STEEPEST, normal / latency) if latency > normal else 1.0
            wanted = self._estimate * gradient + math.sqrt(self._estimate)
            self._estimate += _SMOOTHING * (wanted - self._estimate)
        if self._strained < _STALE:
            return None
        self._dip = self.round.number + 1
        return int(self._estimate * _DIP)
