"""The bucket against a plain model that remembers every call and tries every window."""

from __future__ import annotations

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from tenuto.machines import Bucket
from tests.thoroughness import REPEATABLE, examples

# Eighths are exact in binary: the model need not forgive anything.
MOMENTS = st.integers(0, 40).map(lambda eighths: eighths / 8)
COSTS = st.integers(0, 24).map(lambda eighths: eighths / 8)


class BucketAgainstModel(RuleBasedStateMachine):
    turns = Bundle("turns")

    @initialize(gap=st.sampled_from([0.125, 0.5, 1.0, 2.0]), burst=st.integers(1, 5))
    def begin(self, gap, burst):
        self.gap, self.burst = gap, burst
        self.now = 1000.0
        self.machine = Bucket(calls=1, per=gap, burst=burst)
        self.calls = []  # (start, cost), in the order of their starts

    def earliest(self, cost):
        """When one more call may start, after all others, so that no window holds too much."""
        if cost > self.burst:
            return math.inf
        earliest = self.now
        inside = cost
        for start, paid in reversed(self.calls):
            inside += paid
            earliest = max(earliest, start, start + (inside - self.burst) * self.gap)
        return earliest

    @rule(seconds=MOMENTS)
    def time_passes(self, seconds):
        self.now += seconds

    @rule(cost=COSTS)
    def a_call_will_not_wait(self, cost):
        at_once = self.earliest(cost) == self.now
        assert self.machine.take(self.now, cost) is at_once
        if at_once:
            self.calls.append((self.now, cost))

    @rule(target=turns, cost=COSTS)
    def a_call_will_wait(self, cost):
        start = self.earliest(cost)
        assert self.machine.wait(self.now, cost) == start - self.now
        if start == math.inf:
            return None
        turn = self.machine.reserve(self.now, cost)
        assert turn.start == start
        self.calls.append((start, cost))
        return turn, (start, cost)

    @rule(turns=st.lists(consumes(turns), min_size=1, max_size=4))
    def some_stop_waiting(self, turns):
        for turn, call in filter(None, turns):
            self.machine.cancel(turn, self.now)
            if turn.start > self.now:
                self.calls.remove(call)
            self.machine.cancel(turn, self.now)  # gives nothing back the second time

    @rule(cost=COSTS)
    def somebody_asks(self, cost):
        assert self.machine.wait(self.now, cost) == self.earliest(cost) - self.now

    @invariant()
    def no_window_ever_holds_too_much(self):
        for first, (begin, _) in enumerate(self.calls):
            inside = 0.0
            for start, cost in self.calls[first:]:
                inside += cost
                assert inside <= self.burst + (start - begin) / self.gap

    @invariant()
    def nobody_overtakes(self):
        starts = [start for start, _ in self.calls]
        assert starts == sorted(starts)


TestBucketAgainstModel = BucketAgainstModel.TestCase
TestBucketAgainstModel.settings = settings(
    max_examples=examples(200), stateful_step_count=40, deadline=None, derandomize=REPEATABLE
)
