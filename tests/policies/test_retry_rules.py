from __future__ import annotations

import asyncio
import math

import pytest
import tenacity

from tenuto.errors import (
    ConfigurationError,
)
from tenuto.policies import (
    Backoff,
    ResultRejectedError,
    Retry,
    StopReason,
    hook_failures,
)

NO_WAIT = Backoff("fixed", initial=0.0)


def test_tenacitys_waits_add_up(world, retry, flaky, clock):
    wait = tenacity.wait_fixed(1) + tenacity.wait_incrementing(start=1, increment=2)
    world.call(retry(wait=wait)(world.function(flaky(3))), "x")
    assert clock.sleeps == [2.0, 4.0, 6.0]


def test_tenacitys_stops_see_the_time_the_whole_call_took(world, retry, clock, events):
    calls = []

    def slow():
        calls.append(1)
        clock.advance(4.0)
        raise ConnectionError

    stop = tenacity.stop_after_delay(10) | tenacity.stop_after_attempt(9)
    with pytest.raises(ConnectionError):
        world.call(retry(stop=stop, backoff=NO_WAIT)(world.function(slow)))
    assert len(calls) == 3
    assert events[-1].reason is StopReason.CONDITION
    assert events[-1].history[0].duration == 4.0  # a rule needed the time, so it was taken


def test_a_stop_that_knows_the_next_wait_stops_before_it(world, retry, flaky, clock):
    stop = tenacity.stop_before_delay(10)
    guarded = retry(stop=stop, backoff=Backoff("fixed", initial=4.0, jitter=False))
    with pytest.raises(ConnectionError):
        world.call(guarded(world.function(flaky(99))), "x")
    assert clock.sleeps == [4.0, 4.0]


def test_tenacitys_predicates_decide_about_exceptions(world, retry, flaky):
    rule = tenacity.retry_if_exception_type(ValueError) | tenacity.retry_if_exception_message(
        match="please"
    )
    policy = retry(retry=rule, backoff=NO_WAIT)
    assert not policy.judges_results
    assert world.call(policy(world.function(flaky(2, ValueError))), "x") == "x"
    assert world.call(policy(world.function(flaky(2, LookupError("please")))), "x") == "x"
    with pytest.raises(ConnectionError):
        world.call(policy(world.function(flaky(2))), "x")


def test_a_predicate_may_reject_results(world, retry, events):
    answers = iter([None, None, "sound", None, None])
    rule = tenacity.retry_if_result(lambda result: result is None)
    guarded = retry(1, NO_WAIT, retry=rule)(world.function(lambda: next(answers)))
    with pytest.raises(ResultRejectedError, match="no attempt") as caught:
        world.call(guarded)
    assert caught.value.result is None
    assert events[-1].history[0].fault_class is None
    assert "unacceptable result" in caught.value.__notes__[0]
    assert world.call(guarded) == "sound"


def test_no_predicate_makes_a_generator_hand_out_its_items_again(retry, events):
    handed_out, rejected = [], tenacity.retry_if_result(lambda result: result is None)

    @retry(5, NO_WAIT, retry=rejected)
    def items():
        yield 1

    @retry(5, NO_WAIT, retry=rejected)
    async def items_async():
        yield 2

    async def consume():
        async for item in items_async():
            handed_out.append(item)  # noqa: PERF401 - a comprehension would lose it

    with pytest.raises(ResultRejectedError):
        handed_out.extend(items())
    with pytest.raises(ResultRejectedError):
        asyncio.run(consume())
    assert handed_out == [1, 2]
    assert [event.reason for event in events] == [StopReason.ITEMS_FLOWED] * 2


@pytest.mark.parametrize(
    ("rule", "judges"),
    [
        (tenacity.retry_if_exception(bool), False),
        (tenacity.retry_if_exception_type(ValueError), False),
        (tenacity.retry_if_result(bool), True),
        (tenacity.retry_unless_exception_type(ValueError), True),
        (tenacity.retry_if_exception_type() | tenacity.retry_if_result(bool), True),
        (lambda state: False, True),
    ],
)
def test_rules_about_exceptions_alone_stay_off_the_happy_path(rule, judges):
    assert Retry(retry=rule).judges_results is judges


def broken(*_):
    raise RuntimeError("a bug in a rule")


@pytest.mark.parametrize(
    "settings",
    [{"wait": broken}, {"stop": broken}, {"retry": broken}, {"exceptions": broken}],
)
def test_a_rule_with_a_bug_ends_the_retry_with_the_users_own_error(
    world, retry, flaky, events, settings
):
    before = hook_failures().count
    with pytest.raises(ConnectionError) as caught:
        world.call(retry(**settings)(world.function(flaky(99))), "x")
    assert caught.value.__context__ is None
    assert events[-1].reason is StopReason.BROKEN_RULE
    assert hook_failures().count == before + 1
    assert hook_failures().last == "RuntimeError: a bug in a rule"


def test_a_predicate_with_a_bug_does_not_cost_the_user_the_result(world, retry, flaky):
    before = hook_failures().count
    assert world.call(retry(retry=broken)(world.function(flaky(0))), "x") == "x"
    assert hook_failures().count == before + 1


def test_waits_that_make_no_sense_are_no_waits(world, clock, flaky):
    for wait in (math.nan, math.inf, -1.0):
        guarded = Retry(wait=lambda _, wait=wait: wait, clock=clock)(world.function(flaky(1)))
        assert world.call(guarded, "x") == "x"
    assert sum(clock.sleeps) == 0.0


def test_an_endless_retry_keeps_a_bounded_history(world, retry, flaky, events):
    with pytest.raises(ConnectionError):
        world.call(retry(200, NO_WAIT)(world.function(flaky(999))), "x")
    assert [attempt.number for attempt in events[-1].history] == list(range(152, 202))


def test_rules_see_the_call_as_tenacity_shows_it(world, clock, flaky):
    seen = []

    def wait(state):
        seen.append(
            (
                state.attempt_number,
                state.outcome.failed,
                type(state.outcome.exception()),
                state.args,
                state.kwargs,
                state.idle_for,
                state.seconds_since_start,
                callable(state.fn),
            )
        )
        with pytest.raises(ConnectionError):
            state.outcome.result()
        return 2.0

    world.call(Retry(wait=wait, clock=clock)(world.function(flaky(2))), value="x")
    shared = (True, ConnectionError, (), {"value": "x"})
    assert seen == [(1, *shared, 0.0, 0.0, True), (2, *shared, 2.0, 2.0, True)]


def test_seconds_since_start_are_unknown_before_any_outcome():
    from tenuto.policies.engine.progress import Progress

    progress = Progress(Retry(), "x", (print, (), {}), 0, begun=False)
    assert progress.seconds_since_start is None


@pytest.mark.parametrize(
    ("settings", "about"),
    [
        ({"max_retries": -1}, "max_retries"),
        ({"max_retries": 1.5}, "max_retries"),
        ({"max_retries": True}, "max_retries"),
        ({"backoff": "quadratic"}, "backoff"),
        ({"backoff": 3}, "backoff"),
        ({"backoff": "fixed", "wait": tenacity.wait_none()}, "wait"),
        ({"exceptions": 7}, "exceptions"),
        ({"exceptions": int}, "exceptions"),
        ({"exceptions": (ValueError, 7)}, "exceptions"),
        ({"exceptions": ValueError, "retry": bool}, "retry"),
        ({"stop": 3}, "stop"),
        ({"retry": 3}, "retry"),
        ({"deadline": -1}, "deadline"),
    ],
)
def test_settings_that_make_no_sense_are_refused_when_it_is_built(settings, about):
    with pytest.raises(ConfigurationError) as caught:
        Retry(**settings)
    assert caught.value.setting == about
    assert caught.value.remedy


def test_a_retry_is_a_value():
    assert Retry(3, "fixed") == Retry(max_retries=3, backoff="fixed")
    assert str(Retry(3, "fixed")) == "Retry(4 calls, fixed from 0.5 s)"
    assert str(Retry(stop=tenacity.stop_after_delay(1))).startswith("Retry(until its stop")
    with pytest.raises(AttributeError):
        Retry().max_retries = 5
