from __future__ import annotations

import pytest

from tenuto.errors import CircuitOpenError, ConfigurationError
from tenuto.policies import (
    Backoff,
    CircuitBreaker,
    EventKind,
    Fallback,
    Hedge,
    RateLimit,
    Retry,
    Stack,
    State,
    Timeout,
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


def test_a_stack_in_a_stack_is_as_if_its_policies_were_given(clock):
    retry, breaker, timeout = Retry(1), CircuitBreaker("hub"), Timeout(5)
    inner = stack(breaker, timeout)
    assert stack(retry, inner) == stack(retry, breaker, timeout) == Stack((retry, breaker, timeout))
    assert list(stack(retry, inner)) == [retry, breaker, timeout]
    assert hash(stack(retry)) == hash(Stack((Retry(1),)))
    assert stack(retry) != stack(Retry(2))


def test_a_breaker_with_a_circuit_for_each_key_keeps_them_apart(world, clock):
    breaker = CircuitBreaker("hub", 1, key=lambda call: call.args[0], clock=clock)

    def visit(host):
        if host == "down":
            raise ConnectionError(host)
        return host

    guarded = stack(Fallback("local"), Retry(0, clock=clock), breaker)(world.function(visit))
    assert [world.call(guarded, "down") for _ in range(2)] == ["local", "local"]
    assert breaker.at("down").state is State.OPEN
    assert world.call(guarded, "up") == "up"


def test_a_stack_of_nothing_changes_nothing():
    assert Stack(())(len) is len
    assert str(Stack(())) == Stack(()).table() == "no policies"


def test_any_policy_may_be_among_those_that_are_fused(world, build, flaky, events):
    hub = stack(
        build(Fallback, "local"),
        build(Retry, 2, NO_WAIT),
        Hedge(60.0, on_event=events.append),
        build(CircuitBreaker, "hub", 2),
        build(RateLimit, 100),
        build(Timeout, 9.0),
    )
    dead, alive = flaky(99), flaky(1)
    assert world.call(hub(world.function(alive)), "x") == "x"
    assert world.call(hub(world.function(dead)), "x") == "local"
    assert (alive.calls, dead.calls) == (2, 2)
    assert [event.kind for event in events if event.policy != "rate limit"] == [
        "retried",
        "recovered",
        "retried",
        "tripped",
        "retried",
        "refused",
        "gave_up",
        "fell_back",
    ]


def test_a_retry_waits_for_its_turn_where_that_is_all_it_takes(world, clock, flaky):
    slow = stack(Retry(1, NO_WAIT, clock=clock), RateLimit(1, per=30, clock=clock))
    guarded = slow(world.function(flaky(0)))
    assert [world.call(guarded, "x"), world.call(guarded, "y")] == ["x", "y"]
    assert clock.sleeps == [30.0]


def test_a_timeout_outside_bounds_all_attempts_and_one_inside_each(world, clock, flaky):
    hub = stack(
        Timeout(9.0, clock=clock),
        Retry(5, Backoff("fixed", initial=4.0, jitter=False), clock=clock),
        Timeout(5.0, clock=clock),
    )
    dead = flaky(99)
    with pytest.raises(ConnectionError):
        world.call(hub(world.function(dead)), "x")
    assert clock.sleeps == [4.0, 4.0]
    assert dead.calls == 3


TABLE = """\
policy    name            settings                         tells
fallback  here            len                              fell_back
retry     –               4 calls, exponential from 0.5 s  retried, recovered,
                                                           suppressed, gave_up
breaker   transcription-  5 failures in a row, open for    tripped, refused,
          service         60 s                             probing, closed"""  # noqa: RUF001


def test_a_stack_is_shown_as_a_table_outermost_first():
    hub = stack(Fallback(len, name="here"), Retry(3), CircuitBreaker("transcription-service"))
    assert hub.table() == TABLE
    for width in (80, 60, 200):
        assert max(map(len, hub.table(width).splitlines())) <= width
    assert "transcription" in hub.table(10)
