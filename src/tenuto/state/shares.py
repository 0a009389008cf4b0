"""A number that a fleet has in common, in shares: how much of it each node may go by.

This is what ``shares_lua`` says in the language of the server; a test plays both the same
sequences. Times are seconds by the clock of whoever keeps the record.

The shares that are out sum to at most 1. Only a node that joins may be given more than is left, and
no more than a small part of a fair share: whoever holds too much gives it back when it is heard of
next. Once all have been heard of since the last has joined, the sum is at most 1 again. Where a
number comes in whole units, nobody has less than one, so that more nodes than units have one each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from .contract import Effect

__all__ = [
    "CALL_EVERY",
    "FAIR_PART",
    "HEADROOM",
    "REPORTS",
    "Holding",
    "SharesRecord",
    "leave_shares",
    "level",
    "share_out",
]

FAIR_PART = 0.2
"""What every node may have of a fair share, the 1/n of n nodes, whatever the others want."""
HEADROOM = 1.25
"""How many times what it wanted a node may have, before others have to give way for it: one that
gets exactly what it wants on average is short half of the time."""
CALL_EVERY = 1.0
"""Seconds at least between two calls to all to report, because somebody wants more."""
REPORTS = 100
"""How many reports a second such calls may cause: the work of each grows with the nodes."""
TINY = 1e-9
"""Sums of shares are not exact."""
CRUMB = 1e-6
"""Nor are units that are counted in shares."""


@dataclass
class Holding:
    """What is known of one node."""

    wanted: float
    """How much of the number it could do with."""
    share: float
    until: float
    """When it counts no longer, unless it is heard of again."""


@dataclass
class SharesRecord:
    """What a fleet knows of one number."""

    nodes: dict[str, Holding] = field(default_factory=dict)
    settled_at: float = -math.inf
    """Until then shares do not grow: nodes that are known of no longer may hold some."""
    call_at: float = -math.inf
    """When all may be called again."""


def share_out(
    record: SharesRecord,
    now: float,
    member: str,
    number: float,
    wanted: float,
    held: float,
    units: float,
    alive: float,
) -> Effect:
    """A node tells what it could do with, and hears its share.

    ``wanted`` is in parts of the whole number, of which there are so many ``units``, or 0 where it
    is not one of things. ``held`` is the share it goes by, or 0 if nobody has given it one. The
    answer has the ``number`` of the question, the share and the number of nodes.
    """
    _forget(record, now)
    before = record.nodes.get(member)
    if before is None and held > 0 and not record.nodes:
        record.settled_at = now + alive  # a server that has lost its memory
    count = len(record.nodes) + (before is None)
    least = _least(count, units)
    free = 1.0 - sum(
        max(each.share, least) for name, each in record.nodes.items() if name != member
    )
    ceiling = held if held > 0 and (before is None or now < record.settled_at) else 1.0
    wants = {name: each.wanted for name, each in record.nodes.items()}
    target = _target({**wants, member: wanted}, member, units)
    share = min(target, free, ceiling)
    if units > 0:
        share = math.floor(share * units + CRUMB) / units
    has = held if before is None else before.share
    share = max(share, least if has <= 0 else min(has, least, target))
    record.nodes[member] = Holding(wanted, share, now + alive)
    short = share + TINY < max(target, min(1.0, HEADROOM * wanted)) and now >= record.call_at
    if short:
        record.call_at = now + max(CALL_EVERY, count / REPORTS)
    called = before is None or short
    reply = [f"{number:.0f}", f"{share:.9f}", f"{count}"]
    return Effect(reply, ["report"] if called else None)


def leave_shares(record: SharesRecord, now: float, member: str) -> Effect:
    """A node goes, and what it had is free."""
    _forget(record, now)
    gone = record.nodes.pop(member, None) is not None
    return Effect([], ["report"] if gone else None)


def level(wants: Iterable[float], room: float) -> float:
    """The most that anybody gets of ``room``; infinite where there is enough for all.

    Who wants less gets what it wants, and those who want more get equal parts of the rest (max-min
    fairness).
    """
    left = sorted(wants)
    for index, each in enumerate(left):
        waiting = len(left) - index
        if each * waiting > room:
            return room / waiting
        room -= each
    return math.inf


def _target(wants: dict[str, float], member: str, units: float) -> float:
    """What is right for ``member``, whatever it and the others have.

    All have a small part of a fair share. The rest goes to those who want more, and what nobody
    wants to all alike. Of things that cannot be divided, those that are left over go by name.
    """
    base = _least(len(wants), units)
    room = max(0.0, 1.0 - base * len(wants))
    extras = {name: max(0.0, HEADROOM * each - base) for name, each in wants.items()}
    highest = level(extras.values(), room)
    bonus = 0.0 if highest < math.inf else (room - sum(extras.values())) / len(wants)
    right = {name: base + min(each, highest) + bonus for name, each in extras.items()}
    if units == 0:
        return right[member]
    whole = {name: math.floor(each * units + CRUMB) for name, each in right.items()}
    over = round(units - sum(whole.values()))
    broken = sorted(name for name, each in right.items() if each * units > whole[name] + CRUMB)
    return (whole[member] + (member in broken[: max(0, over)])) / units


def _least(count: int, units: float) -> float:
    least = FAIR_PART / count
    return max(1.0, math.floor(least * units)) / units if units > 0 else least


def _forget(record: SharesRecord, now: float) -> None:
    for name in [name for name, each in record.nodes.items() if each.until <= now]:
        del record.nodes[name]
