"""The retry budget against a plain model that moves its tokens one success at a time."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tenuto.machines import Budget
from tests.thoroughness import REPEATABLE, examples


class BudgetAgainstModel(RuleBasedStateMachine):
    @initialize(capacity=st.integers(1, 40), refund=st.integers(0, 5))
    def begin(self, capacity, refund):
        self.capacity, self.refund = capacity, refund
        self.machine = Budget(capacity, refund)
        self.tokens, self.suppressed = capacity, 0

    @rule(times=st.integers(1, 6))
    def calls_go_well(self, times):
        for _ in range(times):
            self.machine.tally.successes += 1
            self.tokens = min(self.capacity, self.tokens + self.refund)

    @rule(cost=st.integers(0, 15))
    def a_retry_is_wanted(self, cost):
        enough = cost <= self.tokens
        assert self.machine.spend(cost) is enough
        if enough:
            self.tokens -= cost
        else:
            self.suppressed += 1

    @rule()
    def somebody_looks(self):
        assert self.machine.tokens == self.machine.tokens

    @invariant()
    def both_say_the_same(self):
        assert self.machine.tokens == self.tokens
        assert self.machine.suppressed == self.suppressed

    @invariant()
    def there_are_never_too_few_or_too_many(self):
        assert 0 <= self.machine.tokens <= self.capacity


TestBudgetAgainstModel = BudgetAgainstModel.TestCase
TestBudgetAgainstModel.settings = settings(
    max_examples=examples(150), stateful_step_count=40, deadline=None, derandomize=REPEATABLE
)
