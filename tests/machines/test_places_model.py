"""Places against a plain model: a number, and a list of those who wait."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from tenuto.machines import Places
from tests.thoroughness import REPEATABLE, examples


class PlacesAgainstModel(RuleBasedStateMachine):
    tickets = Bundle("tickets")

    @initialize(limit=st.integers(1, 4), room=st.integers(0, 4))
    def begin(self, limit, room):
        self.machine = Places(limit, room)
        self.limit, self.room = limit, room
        self.inside, self.queue = 0, []
        self.last = 0

    def _served(self):
        """Who gets a place, by the model."""
        served = []
        while self.queue and self.inside < self.limit:
            self.inside += 1
            served.append(self.queue.pop(0))
        return served

    @rule()
    def somebody_comes_and_does_not_wait(self):
        may = self.inside < self.limit and not self.queue
        assert self.machine.take() is may
        self.inside += may

    @rule(target=tickets)
    def somebody_comes_and_waits(self):
        if self.machine.take():
            assert self.inside < self.limit
            assert not self.queue
            self.inside += 1
            return multiple()
        assert self.inside >= self.limit or self.queue
        self.last += 1
        joined = self.machine.join(self.last)
        assert joined is (len(self.queue) < self.room)
        if not joined:
            return multiple()
        self.queue.append(self.last)
        assert self.machine.hand_out() == self._served() == []
        return self.last

    @precondition(lambda self: self.inside)
    @rule()
    def somebody_is_done(self):
        self.machine.free.append(True)
        self.inside -= 1
        served = self.machine.hand_out() if self.machine.contested else []
        assert served == self._served()

    @precondition(lambda self: self.inside > 1)
    @rule()
    def two_are_done_before_anybody_is_served(self):
        self.machine.free.append(True)
        self.machine.free.append(True)
        self.inside -= 2
        assert self.machine.hand_out() == self._served()

    @rule(ticket=consumes(tickets))
    def somebody_stops_waiting(self, ticket):
        waited = ticket in self.queue
        assert self.machine.leave(ticket) is waited
        if waited:
            self.queue.remove(ticket)

    @rule(limit=st.integers(1, 6))
    def the_limit_changes(self, limit):
        self.limit = limit
        assert self.machine.resize(limit) == self._served()

    @rule(room=st.integers(0, 4))
    def the_queue_changes(self, room):
        self.room = self.machine.room = room

    @invariant()
    def both_say_the_same(self):
        assert self.machine.limit == self.limit
        assert self.machine.taken == self.inside
        assert list(self.machine.queue) == self.queue

    @invariant()
    def nobody_waits_for_a_place_that_is_free(self):
        assert not (self.queue and self.inside < self.limit)
        assert self.machine.contested is (bool(self.queue) or self.inside > self.limit)


TestPlacesAgainstModel = PlacesAgainstModel.TestCase
TestPlacesAgainstModel.settings = settings(
    max_examples=examples(150), stateful_step_count=40, deadline=None, derandomize=REPEATABLE
)
