"""Whether a fault is getting worse: what each group has counted, hour by hour.

Counted as errors arrive, in steps of ten minutes, so that the question costs the same however many
errors there are, and is answered for those too that are no longer kept whole.
"""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Direction", "Trend", "forget", "trends"]

_STEP = 600.0  # seconds, as in the schema
_STEPS_AN_HOUR = 6
_HOURS = 24
_HOUR = 3600.0
_CHANCE = 3.0  # standard deviations
_MUCH = 2.0


class Direction(StrEnum):
    """What has become of a fault in the last hour."""

    NEW = "new"
    """It was seen for the first time."""
    BACK = "back"
    """It was not seen in the 23 hours before."""
    RISING = "rising"
    """More than twice as often as before, and more often than chance explains."""
    STEADY = "steady"
    FALLING = "falling"
    """Less than half as often as before, and more seldom than chance explains."""
    QUIET = "quiet"
    """It was not seen."""


@dataclass(frozen=True, slots=True)
class Trend:
    """How often a group was seen in each of the last 24 hours, the oldest first."""

    hours: tuple[int, ...]
    direction: Direction


def trends(db: sqlite3.Connection, now: float) -> dict[str, Trend]:
    """The trend of each group, by fingerprint, at ``now``, in seconds since 1970 UTC."""
    step = int(now // _STEP)
    counts: dict[str, list[int]] = {}
    for start, fingerprint, count in db.execute(
        "SELECT start, fingerprint, count FROM recent WHERE start > ?",
        (step - _HOURS * _STEPS_AN_HOUR,),
    ):
        hours = counts.setdefault(fingerprint, [0] * _HOURS)
        # A clock that was set back leaves errors in the future behind: they are of now.
        hours[-1 - max(0, step - start) // _STEPS_AN_HOUR] += count
    found = {}
    for fingerprint, first in db.execute("SELECT fingerprint, first FROM groups"):
        told = tuple(counts.get(fingerprint, [0] * _HOURS))
        found[fingerprint] = Trend(told, _direction(told, first, now))
    return found


def forget(db: sqlite3.Connection, now: float) -> None:
    """Let go of what is too old for any trend."""
    oldest = int(now // _STEP) - (_HOURS + 1) * _STEPS_AN_HOUR
    db.execute("DELETE FROM recent WHERE start < ?", (oldest,))


def _direction(hours: tuple[int, ...], first: float, now: float) -> Direction:
    *_, recent = hours
    begin = (now // _STEP - _STEPS_AN_HOUR + 1) * _STEP  # of the last hour
    if first >= begin:
        return Direction.NEW
    if not recent:
        return Direction.QUIET
    earlier = sum(hours) - recent
    if not earlier:
        return Direction.BACK
    since = begin - (_HOURS - 1) * _HOUR
    if first > since:  # the time is counted from it, so that it is no evidence of how often
        since, earlier = first, earlier - 1
    # Two counts of random events are compared by their rates: what would be expected of the last
    # hour if nothing had changed, and how far chance alone would carry it from that.
    ratio = (now - begin) / (begin - since)
    expected = earlier * ratio
    chance = _CHANCE * max(1.0, math.sqrt((recent + earlier) * ratio))
    if recent - expected > chance and recent > _MUCH * expected:
        return Direction.RISING
    if expected - recent > chance and recent * _MUCH < expected:
        return Direction.FALLING
    return Direction.STEADY
