from __future__ import annotations

import pytest

from tenuto.errors import CircuitOpenError, ConfigurationError
from tenuto.policies import (
    Backoff,
    CircuitBreaker,
    EventKind,
    Fallback,
    Retry,
    State,
    stack,
)

NO_WAIT = Backoff("fixed", initial=0.0)


@pytest.fixture
def build(clock, events):
    def make(kind, *args, **settings):
        if kind is not Fallback:
            settings["clock"] = clock
        return kind(*args, on_event=events.append, **settings)

    return make


def trip(world, policy, flaky):
    with pytest.raises(ConnectionError):
        world.call(policy(world.function(flaky(1))), "x")


def test_a_success_passes_through_all_of_it(world, build, flaky, events):
    policy = stack(build(Fallback, "local"), build(Retry), build(CircuitBreaker))
    assert world.call(policy(world.function(flaky(0))), "x") == "x"
    assert events == []


def test_the_breaker_sees_every_attempt_and_the_retry_heeds_it(world, build, flaky, events):
    breaker = build(CircuitBreaker, "hub", 3)
    dead = flaky(99)
    guarded = stack(build(Retry, 9, NO_WAIT), breaker)(world.function(dead))
    with pytest.raises(CircuitOpenError):
        world.call(guarded, "x")
    assert dead.calls == 3
    assert [event.kind for event in events] == [
        "retried",
        "retried",
        "tripped",
        "retried",
        "refused",
        "gave_up",
    ]


def test_the_fallback_has_the_last_word(world, build, flaky, events):
    dead = flaky(99)
    policy = stack(
        build(Fallback, world.function(lambda value: f"local {value}"), name="plan b"),
        build(Retry, 1, NO_WAIT),
        build(CircuitBreaker, "hub", 2),
    )
    guarded = policy(world.function(dead))
    assert world.call(guarded, "x") == "local x"
    assert world.call(guarded, "y") == "local y"
    assert dead.calls == 2
    fell = [event for event in events if event.kind is EventKind.FELL_BACK]
    assert [event.name for event in fell] == ["plan b", "plan b"]


def test_nobody_listening_the_fallback_answers_an_open_circuit_at_once(world, clock, flaky):
    breaker = CircuitBreaker("hub", 1, clock=clock)
    trip(world, breaker, flaky)
    guarded = stack(Fallback("local"), Retry(clock=clock), breaker)(world.function(flaky(0)))
    assert world.call(guarded, "x") == "local"
    clock.advance(60.0)
    assert world.call(guarded, "x") == "x"


def test_a_fallback_for_certain_errors_looks_at_the_refusal(world, clock, flaky):
    breaker = CircuitBreaker("hub", 1, clock=clock)
    trip(world, breaker, flaky)
    only = Fallback("local", exceptions=ValueError)
    guarded = stack(only, breaker)(world.function(flaky(0)))
    with pytest.raises(CircuitOpenError):
        world.call(guarded, "x")


def test_a_retry_that_waits_for_the_circuit_is_given_the_time(world, clock, flaky):
    breaker = CircuitBreaker("hub", 1, clock=clock)
    trip(world, breaker, flaky)
    patient = Retry(exceptions=CircuitOpenError, clock=clock)
    guarded = stack(Fallback("local"), patient, breaker)(world.function(flaky(0)))
    assert world.call(guarded, "x") == "x"
    assert clock.sleeps == [60.0]


def test_a_retry_repeats_what_the_breakers_own_fallback_fails_with(world, clock, flaky):
    plan_b = flaky(1)
    breaker = CircuitBreaker("hub", 1, fallback=world.function(plan_b), clock=clock)
    trip(world, breaker, flaky)
    guarded = stack(Retry(1, NO_WAIT, clock=clock), breaker)(world.function(flaky(0)))
    assert world.call(guarded, "x") == "x"
    assert plan_b.calls == 2


@pytest.mark.parametrize("error", [TypeError, ImportError])
def test_a_fallback_does_not_hide_bugs_and_wrong_configuration(world, flaky, error):
    with pytest.raises(error):
        world.call(Fallback("local")(world.function(flaky(1, error))), "x")


def test_a_fallback_stands_in_for_what_it_is_told_to(world, flaky):
    guarded = Fallback(None, exceptions=(TypeError, KeyError))(world.function(flaky(1, TypeError)))
    assert world.call(guarded, "x") is None
    assert world.call(Fallback(0, exceptions=lambda _: True)(world.function(flaky(1))), "x") == 0


def test_a_fallback_whose_rule_has_a_bug_lets_the_users_error_through(world, flaky):
    def broken(error):
        raise RuntimeError

    with pytest.raises(ConnectionError):
        world.call(Fallback(0, exceptions=broken)(world.function(flaky(1))), "x")


def test_a_fallback_that_fails_shows_what_it_stood_in_for(world, flaky):
    guarded = Fallback(world.function(flaky(1, LookupError)))(world.function(flaky(1)))
    with pytest.raises(LookupError) as caught:
        world.call(guarded, "x")
    assert isinstance(caught.value.__context__, ConnectionError)


def test_a_fallback_that_fails_in_its_own_way_keeps_its_own_context(world, flaky):
    def plan_b(value):
        try:
            raise KeyError(value)
        except KeyError:
            raise LookupError  # noqa: B904  # the implicit context is the point

    guarded = Fallback(world.function(plan_b))(world.function(flaky(1)))
    with pytest.raises(LookupError) as caught:
        world.call(guarded, "x")
    assert isinstance(caught.value.__context__, KeyError)


def test_a_cancellation_has_no_fallback(flaky):
    class Cancelled(Exception):
        from tenuto.errors import FaultClass

        fault_class = FaultClass.CANCELLED

    with pytest.raises(Cancelled):
        Fallback("local", exceptions=Exception)(flaky(1, Cancelled))("x")


def test_a_retry_around_a_fallback_for_certain_errors(world, clock, flaky):
    policy = stack(Retry(1, NO_WAIT, clock=clock), Fallback("unreadable", exceptions=ValueError))
    assert world.call(policy(world.function(flaky(1, ValueError))), "x") == "unreadable"
    assert world.call(policy(world.function(flaky(1))), "x") == "x"


def test_two_breakers_one_in_the_other(world, clock, flaky):
    host, fleet = CircuitBreaker("host", 1, clock=clock), CircuitBreaker("fleet", 9, clock=clock)
    guarded = stack(fleet, host)(world.function(flaky(1)))
    with pytest.raises(ConnectionError):
        world.call(guarded, "x")
    with pytest.raises(CircuitOpenError) as caught:
        world.call(guarded, "x")
    assert caught.value.service == "host"
    assert fleet.state is State.CLOSED


@pytest.mark.parametrize(
    ("policies", "why"),
    [
        ((), "at least one"),
        ((Retry(), "nonsense"), "is not a policy"),
        ((Retry(), Fallback("x")), "hides every failure"),
        ((Retry(), CircuitBreaker(), Fallback("x")), "hides every failure"),
        ((Retry(), CircuitBreaker(), Retry()), "multiply"),
    ],
)
def test_an_order_that_cannot_work_is_refused_with_the_reason(policies, why):
    with pytest.raises(ConfigurationError, match=why):
        stack(*policies)


def test_an_order_that_seldom_works_is_warned_of(clock, flaky):
    with pytest.warns(UserWarning, match="put the retry first"):
        policy = stack(CircuitBreaker(clock=clock), Retry(1, NO_WAIT, clock=clock))
    assert policy(flaky(1))("x") == "x"


def test_a_stack_is_shown_in_one_line():
    policy = stack(Fallback(len), Retry(3), CircuitBreaker("hub"))
    assert str(policy) == (
        "Fallback(len) > Retry(4 calls, exponential from 0.5 s) > "
        "CircuitBreaker(hub: 5 failures in a row, open for 60 s)"
    )
    assert str(Fallback(7)) == "Fallback(7)"
