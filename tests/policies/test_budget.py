from __future__ import annotations

import sys
import threading
from datetime import timedelta

import pytest
import tenacity

from tenuto.errors import ConfigurationError, FaultClass, RateLimitedError
from tenuto.policies import (
    Backoff,
    CircuitBreaker,
    EventKind,
    Fallback,
    Retry,
    RetryBudget,
    StopReason,
    stack,
)

NO_WAIT = Backoff("fixed", initial=0.0)


@pytest.fixture
def budget():
    return RetryBudget("hub", capacity=20, cost=5)


@pytest.fixture
def spend_all(world, retry, flaky, budget):
    def spend():
        with pytest.raises(ConnectionError):
            world.call(retry(99, NO_WAIT, budget=budget)(world.function(flaky(999))), "x")

    return spend


def test_retries_stop_when_the_tokens_are_used_up(world, retry, flaky, budget, events):
    dead = flaky(99)
    with pytest.raises(ConnectionError) as caught:
        world.call(retry(99, NO_WAIT, budget=budget)(world.function(dead)), "x")
    assert dead.calls == 5
    assert (budget.tokens, budget.suppressed) == (0, 1)
    assert [event.kind for event in events[-2:]] == [EventKind.SUPPRESSED, EventKind.GAVE_UP]
    assert [event.reason for event in events[-2:]] == [StopReason.BUDGET, StopReason.BUDGET]
    assert caught.value.__notes__[0].startswith(
        "tenuto: flaky, attempt 5: the retry budget is used up; 1: infrastructure"
    )


def test_all_who_share_it_spend_from_it(world, retry, flaky, budget, spend_all):
    spend_all()
    other = flaky(1)
    with pytest.raises(ConnectionError):
        world.call(retry(3, NO_WAIT, budget=budget)(world.function(other)), "x")
    assert other.calls == 1
    own = flaky(1)
    world.call(retry(3, NO_WAIT, budget=RetryBudget())(world.function(own)), "x")
    assert own.calls == 2


def test_calls_that_go_well_earn_it_back(world, retry, flaky, budget, spend_all):
    spend_all()
    policy = retry(3, NO_WAIT, budget=budget)
    healthy = policy(world.function(flaky(0)))
    for _ in range(6):
        world.call(healthy, "x")
    assert budget.tokens == 6
    assert world.call(policy(world.function(flaky(1))), "x") == "x"
    assert budget.tokens == 6 - 5 + 1  # the call that went well in the end earned one, too


def test_what_is_refused_for_want_of_tokens_is_not_tried_further_out(
    world, retry, flaky, budget, spend_all
):
    spend_all()
    dead = flaky(9)
    inner = retry(3, NO_WAIT, budget=budget)(dead)
    with pytest.raises(ConnectionError):
        world.call(retry(3, NO_WAIT)(world.function(inner)), "x")
    assert dead.calls == 1


def test_a_retry_that_is_not_made_for_other_reasons_costs_nothing(world, retry, flaky, budget):
    for settings, error in (
        ({"max_retries": 0}, ConnectionError),
        ({"deadline": 0}, ConnectionError),
        ({}, ValueError),
    ):
        with pytest.raises(error):
            world.call(retry(budget=budget, **settings)(world.function(flaky(9, error))), "x")
    assert (budget.tokens, budget.suppressed) == (20, 0)


def test_repeating_what_was_refused_burdens_nobody_and_costs_nothing(world, retry, flaky, budget):
    limited = flaky(3, RateLimitedError(retry_after=1.0))
    world.call(retry(3, budget=budget)(world.function(limited)), "x")
    assert budget.tokens == 20


def test_an_attempt_that_timed_out_costs_twice_as_much(world, retry, flaky, budget):
    world.call(retry(3, NO_WAIT, budget=budget)(world.function(flaky(1, TimeoutError))), "x")
    assert budget.tokens == 20 - 10 + 1


def test_costs_go_by_exception_type_and_fault_class(world, retry, flaky):
    costs = {FaultClass.INFRASTRUCTURE: 7, OSError: 2, TimeoutError: 9}
    for error, cost in ((TimeoutError, 9), (ConnectionError, 2), (EOFError, 5), (Exception, 7)):
        budget = RetryBudget(capacity=20, cost=5, costs=costs, refund=0)
        policy = retry(3, NO_WAIT, budget=budget, exceptions=Exception)
        world.call(policy(world.function(flaky(1, error))), "x")
        assert budget.tokens == 20 - cost, error


def test_a_rejected_result_costs_a_retry_and_an_accepted_one_earns(world, retry, budget):
    answers = iter([None, "sound"])
    rule = tenacity.retry_if_result(lambda result: result is None)
    guarded = retry(3, NO_WAIT, retry=rule, budget=budget)(world.function(lambda: next(answers)))
    assert world.call(guarded) == "sound"
    assert budget.tokens == 20 - 5 + 1


@pytest.mark.parametrize("window", [20, timedelta(seconds=10)], ids=repr)
def test_beside_a_breaker_both_count(world, retry, flaky, budget, window):
    for _ in range(4):
        budget.spend(None, None)
    circuit = CircuitBreaker(failure_rate=0.5, window=window)
    policy = retry(3, NO_WAIT, budget=budget)
    healthy = stack(Fallback(None), policy, circuit)(world.function(flaky(0)))
    for _ in range(7):
        world.call(healthy, "x")
    assert budget.tokens == 7
    assert circuit.circuit.machine.tally.successes == 7


def test_generators_and_awaitables_earn_once(retry, budget):
    import asyncio

    for _ in range(4):
        budget.spend(None, None)
    policy = retry(3, NO_WAIT, budget=budget)

    @policy
    def items():
        yield 1

    assert list(items()) == [1]

    async def answer():
        return 1

    @policy
    def hands_on():
        return answer()

    async def run():
        return await hands_on() + await hands_on()

    assert asyncio.run(run()) == 2
    assert budget.tokens == 3


def test_threads_share_it_without_losing_a_token():
    budget = RetryBudget(capacity=100_000, cost=1, refund=0)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def spend():
        for _ in range(2_000):
            budget.spend(None, None)

    try:
        threads = [threading.Thread(target=spend) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert budget.tokens == 100_000 - 8_000


@pytest.mark.parametrize(
    ("settings", "about"),
    [
        ({"capacity": -1}, "capacity"),
        ({"capacity": "many"}, "capacity"),
        ({"cost": -1}, "cost"),
        ({"cost": 501}, "cost"),
        ({"refund": -1}, "refund"),
        ({"costs": 7}, "costs"),
        ({"costs": {int: 7}}, "costs"),
        ({"costs": {TimeoutError: 501}}, "costs[TimeoutError]"),
        ({"costs": {FaultClass.RESOURCE: None}}, "costs[resource]"),
    ],
)
def test_settings_that_make_no_sense_are_refused_when_it_is_built(settings, about):
    with pytest.raises(ConfigurationError) as caught:
        RetryBudget(**settings)
    assert caught.value.setting == about


def test_a_retry_takes_nothing_else_for_a_budget():
    with pytest.raises(ConfigurationError) as caught:
        Retry(budget=500)
    assert caught.value.setting == "budget"


def test_a_budget_is_a_value_with_the_numbers_of_the_aws_sdks():
    assert RetryBudget("hub") == RetryBudget("hub", 500, 5, refund=1)
    assert RetryBudget("hub").tokens == 500
    assert str(RetryBudget("hub")) == "RetryBudget(hub: 500 tokens, 5 a retry)"
    assert str(RetryBudget()) == "RetryBudget(500 tokens, 5 a retry)"
    assert str(Retry(budget=RetryBudget("hub"))).endswith(
        "s; RetryBudget(hub: 500 tokens, 5 a retry))"
    )
    assert hash(RetryBudget(costs={})) == hash(RetryBudget())
    assert RetryBudget(capacity=7).spend(TimeoutError(), None)  # never more than there can be
