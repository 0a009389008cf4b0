from __future__ import annotations

from tenuto.machines import Budget


def succeed(budget, times):
    budget.tally.successes += times


def test_a_new_budget_is_full():
    assert Budget(500, 1).tokens == 500


def test_retries_spend_until_there_are_too_few_tokens():
    budget = Budget(12, 1)
    assert [budget.spend(5) for _ in range(4)] == [True, True, False, False]
    assert (budget.tokens, budget.suppressed) == (2, 2)


def test_a_cheap_retry_may_still_be_made_where_a_dear_one_may_not():
    budget = Budget(7, 1)
    assert not budget.spend(10)
    assert budget.spend(5)


def test_the_last_token_can_be_spent():
    budget = Budget(5, 1)
    assert budget.spend(5)
    assert budget.tokens == 0


def test_successes_give_tokens_back():
    budget = Budget(10, 2)
    budget.spend(10)
    succeed(budget, 3)
    assert budget.tokens == 6
    assert budget.spend(6)
    assert budget.tokens == 0


def test_a_full_budget_does_not_grow():
    budget = Budget(10, 1)
    succeed(budget, 1000)
    assert budget.tokens == 10
    budget.spend(4)
    assert budget.tokens == 6  # the thousand were not saved for later
    succeed(budget, 1)
    assert budget.tokens == 7


def test_successes_count_once():
    budget = Budget(10, 1)
    budget.spend(10)
    succeed(budget, 4)
    assert not budget.spend(5)
    assert not budget.spend(5)
    assert budget.tokens == 4


def test_another_size_keeps_what_is_left_as_far_as_there_is_room():
    budget = Budget(capacity=10, refund=1)
    assert budget.spend(8)
    budget.tally.successes += 1
    budget.resize(capacity=100, refund=5)
    assert budget.tokens == 3  # what was earned before counts as it did then
    budget.tally.successes += 1
    assert budget.tokens == 8
    budget.resize(capacity=4, refund=5)
    assert budget.tokens == 4
