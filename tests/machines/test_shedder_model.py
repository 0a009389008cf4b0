"""The shedder against a plain model that keeps every call, and sheds a list of them by hand."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tenuto.machines import Priority, Shedder
from tests.thoroughness import REPEATABLE, examples

SPAN = 12  # seconds: a tenth of the window of two minutes
PRIORITIES = st.sampled_from(list(Priority))


class ShedderAgainstModel(RuleBasedStateMachine):
    @initialize(k=st.sampled_from([1, 1.5, 2, 3]), start=st.integers(0, 500))
    def begin(self, k, start):
        self.k, self.now = k, start
        self.machine = Shedder(k, 10 * SPAN, start)
        self.calls = []  # (moment, priority, accepted)

    @property
    def recent(self):
        return [call for call in self.calls if call[0] // SPAN > self.now // SPAN - 10]

    def shed(self):
        """How many calls of each priority are shed, taken from the least important ones first."""
        requests, accepts = len(self.recent), sum(accepted for *_, accepted in self.recent)
        too_many = max(0, requests - self.k * accepts) / (requests + 1) * requests
        shed = {}
        for priority in Priority:
            calls = sum(each is priority for _, each, _ in self.recent)
            shed[priority] = min(calls, too_many), calls, too_many
            too_many -= shed[priority][0]
        return shed

    @rule(seconds=st.one_of(st.integers(0, 15), st.integers(0, 300)))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(priority=PRIORITIES, accepted=st.booleans(), times=st.integers(1, 6))
    def calls_end(self, priority, accepted, times):
        for _ in range(times):
            self.machine.note(priority, self.now, accepted=accepted)
            self.calls.append((self.now, priority, accepted))

    @rule(priority=PRIORITIES)
    def a_call_asks(self, priority):
        shed, calls, too_many = self.shed()[priority]
        share = self.machine.share(priority, self.now)
        if calls:
            assert share == pytest.approx(shed / calls)
        else:
            assert share == pytest.approx(min(1, too_many))

    @rule()
    def somebody_looks(self):
        requests, accepts = len(self.recent), sum(accepted for *_, accepted in self.recent)
        expected = max(0, (requests - self.k * accepts) / (requests + 1))
        assert self.machine.rejection(self.now) == pytest.approx(expected)
        assert sum(self.machine.counts) == self.machine.requests == requests
        assert self.machine.calm is (expected == 0)
        assert self.machine.accepts == accepts

    @invariant()
    def the_shares_add_up_to_the_formula(self):
        machine = self.machine
        rejection = machine.rejection(self.now)
        shed = sum(machine.share(each, self.now) * machine.counts[each] for each in Priority)
        assert shed == pytest.approx(rejection * sum(machine.counts))

    @invariant()
    def the_more_important_a_call_the_less_is_shed(self):
        present = [each for each in Priority if self.machine.counts[each]]
        shares = [self.machine.share(each, self.now) for each in present]
        assert shares == sorted(shares, reverse=True)
        assert all(0 <= share <= 1 for share in shares)

    @invariant()
    def nothing_grows(self):
        assert len(self.machine._requests) == len(self.machine._accepted) == 10


TestShedderAgainstModel = ShedderAgainstModel.TestCase
TestShedderAgainstModel.settings = settings(
    max_examples=examples(150), stateful_step_count=40, deadline=None, derandomize=REPEATABLE
)
