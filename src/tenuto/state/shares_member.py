"""One node's share of a number that a fleet has in common."""

from __future__ import annotations

import math
from functools import partial
from itertools import count
from typing import Protocol

from tenuto.clock import Clock

from .contract import After, Operation, Reply, State
from .shares import REPORTS
from .shares_lua import LEAVE_SHARES, SHARE_OUT

__all__ = ["Divided", "Share"]

_SPAN = 1.0  # seconds that are looked at, at least, to say how much is wanted
_HALF_LIFE = 2.0  # seconds after which half of what was wanted is forgotten
_number = count(1).__next__


class Divided(Protocol):
    """What has the number. It is asked from any thread."""

    @property
    def units(self) -> int:
        """How many whole things the number is of; 0 where it can be divided at will."""
        ...

    def wanted(self, seconds: float) -> float:
        """How much was wanted in the last ``seconds``, since it was asked before.

        In parts of the whole number; above 1, it is more than there is for all.
        """
        ...

    def go_by(self, share: float) -> None:
        """Go by this share of the number from now on; above 0, at most 1. Takes no time."""
        ...


class Share:
    """How much of a number this node may go by, which all with its ``kind`` and name divide.

    Nobody waits for it: the node goes by the last it has heard. One that has never heard anything
    goes by the whole. Where nobody answers for as long as it takes the others to forget a node, it
    goes by no more than one of as many parts as there were nodes; after twice as long, by just
    that. Nodes that lose their server all together divide the number evenly then, and in between
    never go by more than all of it.
    """

    def __init__(self, fleet: State, kind: str, name: str, divided: Divided, clock: Clock) -> None:
        self.name = f"[{kind}]{name}"  # nobody else's: circuits are called by their names alone
        self.part = 1.0
        """What the node goes by."""
        self._fleet = fleet
        self._divided = divided
        self._clock = clock
        self._id = _number()
        self._questions = count(1)
        self._question = 0
        self._unanswered = self._again = False
        self._given = False
        self._nodes = 1
        self._asked_at = self._heard_at = self._measured_at = self._due = clock.monotonic()
        self._wanted = 0.0

    def join(self) -> None:
        """Take part from now on."""
        self._fleet.join(self)

    def want(self) -> None:
        """Somebody wants more than there is: it is worth asking, once in a while."""
        now = self._clock.monotonic()
        if now >= self._due:
            self._due = now + max(_SPAN, self._nodes / REPORTS)
            self._fleet.touch(self)

    def report(self) -> Operation:
        now = self._clock.monotonic()
        self._measure(now)
        self._age(now)
        self._asked_at, self._question, self._unanswered = now, next(self._questions), True
        held = self.part if self._given else 0.0
        return Operation(
            SHARE_OUT,
            self.name,
            (
                self._me(),
                self._question,
                self._wanted,
                held,
                self._divided.units,
                self._fleet.alive,
            ),
        )

    def take(self, reply: Reply) -> After | None:
        if not reply:  # to the last that was said
            return None
        if reply[0] == "":  # all are called: once it is known what came of the last time
            self._again = self._unanswered
            return None if self._unanswered else partial(self._fleet.touch, self)
        question, share, nodes = (float(each) for each in reply)
        if not (0.0 < share <= 1.0 and 1.0 <= nodes < math.inf):
            raise ValueError(reply)
        if question != self._question:  # there is a later one
            return None
        self._heard_at, self._nodes, self._given = self._asked_at, int(nodes), True
        self._go_by(share)
        again, self._again, self._unanswered = self._again, False, False
        return partial(self._fleet.touch, self) if again else None

    def leave(self) -> Operation:
        return Operation(LEAVE_SHARES, self.name, (self._me(),))

    def begin_anew_in_child(self) -> None:
        self._given = False

    def _me(self) -> str:
        return f"{self._fleet.node}/{self._id}"

    def _measure(self, now: float) -> None:
        """More is believed at once, and less in time: what comes in bursts comes again."""
        elapsed = now - self._measured_at
        if elapsed >= _SPAN:
            self._measured_at = now
            remembered = self._wanted * 0.5 ** (elapsed / _HALF_LIFE)
            self._wanted = min(max(self._divided.wanted(elapsed), remembered), 1.0)

    def _age(self, now: float) -> None:
        silence, even = now - self._heard_at, 1.0 / self._nodes
        if self._given and silence >= 2 * self._fleet.alive:
            self._go_by(even)
        elif self._given and silence >= self._fleet.alive:
            self._go_by(min(self.part, even))

    def _go_by(self, share: float) -> None:
        if share != self.part:
            self.part = share
            self._divided.go_by(share)
