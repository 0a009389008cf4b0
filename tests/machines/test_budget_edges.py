"""Budgets that change while they are spent."""

from __future__ import annotations

from tenuto.machines import Budget


def test_a_smaller_budget_keeps_what_it_has_room_for():
    budget = Budget(10, refund=1)
    budget.resize(4, refund=1)
    assert budget.tokens == 4
    assert budget.spend(4)
    assert not budget.spend(1)


def test_a_larger_budget_is_not_full_at_once():
    budget = Budget(4, refund=1)
    budget.resize(10, refund=1)
    assert budget.tokens == 4
    assert not budget.spend(5)
    budget.tally.successes += 100
    assert budget.tokens == 10


def test_what_was_earned_before_counts_by_the_refund_of_then():
    budget = Budget(10, refund=1)
    assert budget.spend(10)
    budget.tally.successes += 3
    budget.resize(10, refund=2)
    assert budget.tokens == 3
    budget.tally.successes += 3
    assert budget.tokens == 9
