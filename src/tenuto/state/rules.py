"""The circuit of a fleet as a machine: who has opened it, and who may probe.

This is what ``circuits.lua`` says in the language of the server; a test plays both the same
sequences. Times are seconds by the clock of whoever keeps the record; what crosses a wire are
lengths of time.

Everything a member says of the fleet comes with an ``era``, which grows with every change and
never repeats: who has heard of a later era is right. A server that has lost its memory learns from
the members what was so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .contract import Effect, Reply

__all__ = ["ASK_AGAIN", "CircuitRecord", "exchange", "leave", "settle"]

ASK_AGAIN = 1.0
"""Seconds after which one who was refused a permit asks again, at most: one may be given back."""
_TINY = 1e-9  # a share of the nodes that is a whole number may come out a little above it


@dataclass
class CircuitRecord:
    """What a fleet knows of one circuit."""

    era: int = 0
    open: bool = False
    """Until ``until``, and from then on half open: a few may probe."""
    until: float = 0.0
    opened_at: float = 0.0
    streak: int = 0
    """How many probes have failed since it opened."""
    answered: int = 0
    """How many have succeeded in this era."""
    fault: str = ""
    """What opened it."""
    leases: dict[str, float] = field(default_factory=dict)
    """Permits of probes that are under way, and when each is anybody's again."""
    votes: dict[str, float] = field(default_factory=dict)
    """Members that have tripped by themselves, and until when they stay open."""
    nodes: dict[str, float] = field(default_factory=dict)
    """Members, and until when they count without being heard of again."""

    def news(self, now: float) -> Reply:
        """What every member has to hear."""
        left = max(0.0, self.until - now) if self.open else 0.0
        age = max(0.0, now - self.opened_at) if self.open else 0.0
        return [
            f"{self.era}",
            "1" if self.open else "0",
            f"{left:.6f}",
            f"{age:.6f}",
            f"{self.streak}",
            self.fault,
        ]

    def turn(self, now: float) -> None:
        """Another era begins."""
        self.era = max(self.era + 1, math.floor(now * 1000))
        self.answered = 0
        self.leases.clear()
        self.votes.clear()

    def quorum(self, count: float, share: float) -> float:
        """How many nodes have to agree: ``count``, or if that is 0, a share of those there are."""
        if count > 0:
            return count
        return max(1, math.ceil(share * _distinct(self.nodes) - _TINY))


def exchange(
    record: CircuitRecord,
    now: float,
    member: str,
    era: float,
    is_open: float,
    left: float,
    age: float,
    streak: float,
    fault: str,
    vote: float,
    vote_streak: float,
    vote_fault: str,
    count: float,
    share: float,
    alive: float,
    lease: float,
    token: str,
    permits: float,
    *held: str,
) -> Effect:
    """A member tells what it knows, and hears what is so; with a ``token`` it asks to probe.

    ``era`` to ``fault`` are what it has heard of the fleet last. ``vote`` is for how long it stays
    open because it has tripped by itself, or 0. The nodes that vote open the circuit when they are
    ``count``, or a ``share`` of all, in number. The leases ``held`` are renewed.
    """
    changed = era > record.era
    if changed:
        record.turn(now)
        record.era = int(era)
        record.open = is_open > 0
        record.until, record.opened_at = now + left, now - age
        record.streak, record.fault = int(streak), fault
    record.nodes[member] = now + alive
    _forget(record.nodes, now)
    for each in held:
        if each in record.leases:
            record.leases[each] = now + lease
    record.votes.pop(member, None)
    _forget(record.votes, now)
    # One that has closed by itself, where nobody answered, may trip before the others probe.
    again = record.open and record.until <= now and era == record.era
    if vote > 0 and (again or not record.open):
        record.votes[member] = now + vote
        if _distinct(record.votes) >= record.quorum(count, share):
            record.turn(now)
            record.open = changed = True
            record.until, record.opened_at = now + vote, now
            record.streak, record.fault = int(vote_streak), vote_fault
    if token and record.open and record.until <= now and record.answered >= permits:
        record.turn(now)  # whoever asks wants fewer than those before
        record.open, record.streak, changed = False, 0, True
    verdict, wait = ("", 0.0) if token == "" else _decide(record, now, token, permits, lease)
    news = record.news(now)
    return Effect([verdict, f"{wait:.6f}", *news], news if changed else None)


def _decide(
    record: CircuitRecord, now: float, token: str, permits: float, lease: float
) -> tuple[str, float]:
    if not record.open:
        return "closed", 0.0
    if record.until > now:
        return "refused", record.until - now
    _forget(record.leases, now)
    if token not in record.leases and len(record.leases) + record.answered >= permits:
        soonest = min(record.leases.values(), default=now + ASK_AGAIN)
        return "refused", min(ASK_AGAIN, soonest - now)
    record.leases[token] = now + lease
    return "granted", 0.0


def settle(
    record: CircuitRecord, now: float, token: str, outcome: str, open_for: float, permits: float
) -> Effect:
    """A probe is over: it ``failed``, ``succeeded``, or is ``released`` and proves nothing.

    Of a token that is not out, or not any more, nothing is heard.
    """
    changed = False
    if record.leases.pop(token, None) is not None:
        if outcome == "failed":
            record.turn(now)
            record.until = now + open_for
            record.streak += 1
            changed = True
        elif outcome == "succeeded":
            record.answered += 1
            if record.answered >= permits:
                record.turn(now)
                record.open, record.streak = False, 0
                changed = True
    news = record.news(now)
    return Effect(["", f"{0.0:.6f}", *news], news if changed else None)


def leave(record: CircuitRecord, now: float, member: str) -> Effect:
    """A member goes, with its vote."""
    record.nodes.pop(member, None)
    record.votes.pop(member, None)
    return Effect(["", f"{0.0:.6f}", *record.news(now)])


def _distinct(members: dict[str, float]) -> int:
    """How many nodes the members belong to; one is called ``node/number``."""
    return len({member.partition("/")[0] for member in members})


def _forget(kept: dict[str, float], now: float) -> None:
    for each in [each for each, until in kept.items() if until <= now]:
        del kept[each]
