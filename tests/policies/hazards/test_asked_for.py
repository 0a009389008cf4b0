"""What users of other libraries ask those for: one test for each request."""

from __future__ import annotations

import contextlib

import pytest

from tenuto.clock import SimulatedClock
from tenuto.errors import BulkheadFullError, CircuitOpenError
from tenuto.policies import (
    Backoff,
    Bulkhead,
    CircuitBreaker,
    Retry,
    RetryBudget,
    State,
    StopReason,
    deadline,
)

NO_WAIT = Backoff("fixed", initial=0.0)


def test_retries_of_all_calls_together_have_a_budget(world, retry, flaky):
    """resilience4j#172."""
    budget = RetryBudget("hub", capacity=20, cost=5)
    dead = flaky(999)
    guarded = retry(3, NO_WAIT, budget=budget)(world.function(dead))
    for _ in range(100):
        with pytest.raises(ConnectionError):
            world.call(guarded, "x")
    assert dead.calls == 104  # not 400


def test_what_is_slow_may_depend_on_the_size_of_the_work(world, clock):
    """resilience4j#1477: here, no more than twice as long as the sound itself."""
    policy = CircuitBreaker(
        "engine",
        failure_threshold=None,
        slow_after=lambda call: 2.0 * call.args[0],
        slow_rate=0.5,
        minimum_calls=4,
        clock=clock,
    )

    def enhance(seconds, took):
        clock.advance(took)

    guarded = policy(world.function(enhance))
    for _ in range(4):
        world.call(guarded, 60.0, 100.0)
    assert policy.state is State.CLOSED
    for _ in range(4):
        world.call(guarded, 10.0, 21.0)
    assert policy.state is State.OPEN


def test_a_call_that_never_returns_counts_as_slow_while_it_hangs(clock):
    """resilience4j#1597."""
    policy = CircuitBreaker(
        "hub", None, slow_after=2.0, slow_rate=0.5, minimum_calls=4, clock=clock
    )
    with contextlib.ExitStack() as hanging:
        for _ in range(4):
            hanging.enter_context(policy)
        assert policy.state is State.CLOSED
        clock.advance(3.0)
        assert policy.state is State.OPEN


def test_a_retry_around_a_retry_is_noticed_and_told(world, retry, flaky, events):
    """tenacity#252."""
    dead = flaky(99)
    inner = retry(2, NO_WAIT)(world.function(dead))
    with pytest.raises(ConnectionError):
        world.call(retry(2, NO_WAIT)(inner), "x")
    assert dead.calls == 3
    assert events[-1].reason is StopReason.GIVEN_UP_INSIDE


@pytest.mark.parametrize(("error", "calls"), [(TimeoutError, 6), (ConnectionError, 2)])
def test_each_kind_of_error_may_have_a_policy_of_its_own(world, retry, flaky, error, calls):
    """tenacity#174 and #353."""
    dead = flaky(99, error)
    policy = retry(1, NO_WAIT, per={TimeoutError: Retry(5, NO_WAIT)})
    with pytest.raises(error):
        world.call(policy(world.function(dead)), "x")
    assert dead.calls == calls


def test_no_wait_passes_the_deadline(world, clock, retry, flaky, events):
    """tenacity#373 and resilience4j#905."""
    dead = flaky(99)
    guarded = retry(9, Backoff("fixed", initial=4.0, jitter=False))(world.function(dead))
    with deadline(10.0, clock=clock), pytest.raises(ConnectionError):
        world.call(guarded, "x")
    assert clock.sleeps == [4.0, 4.0]
    assert events[-1].reason is StopReason.DEADLINE


def test_a_circuit_survives_a_restart(tripped, clock, flaky):
    """resilience4j#2146."""
    remembered = tripped().remember()
    later = SimulatedClock(clock.now() + 20.0)
    policy = CircuitBreaker("hub", 1, clock=later)
    policy.restore(remembered)
    with pytest.raises(CircuitOpenError) as caught:
        policy(flaky(0))("x")
    assert caught.value.retry_after == pytest.approx(40.0)


def test_each_call_has_an_attempt_history_of_its_own(world, retry, flaky, events):
    """tenacity#477 and #701."""
    policy = retry(3, NO_WAIT)
    inner = policy(world.function(flaky(1)))
    outer = flaky(2)

    def call():
        return outer("x")

    world.call(inner, "x")
    world.call(policy(world.function(call)))
    recovered = [event for event in events if event.kind == "recovered"]
    assert [[attempt.number for attempt in event.history] for event in recovered] == [[1], [1, 2]]


def test_every_permit_comes_back(clock, tripped, flaky):
    """resilience4j#544, #935 and #1568: however a probe ends, there can be another one."""
    policy = tripped()
    clock.advance(60.0)

    def probe(error):
        with pytest.raises(type(error)), policy:
            raise error

    def generate():
        yield 1

    for error in (KeyboardInterrupt(), SystemExit(), GeneratorExit()):
        probe(error)
        assert policy.state is State.HALF_OPEN
    started = policy(generate)()
    next(started)
    del started
    assert policy(flaky(0))("x") == "x"
    assert policy.state is State.CLOSED


def test_a_refusal_further_in_does_not_trip_what_is_further_out(world, clock):
    """resilience4j#989."""
    outer = CircuitBreaker("outer", 1, clock=clock)
    full = Bulkhead(1, name="full", clock=clock)
    guarded = outer(full(world.function(lambda: "fine")))
    with full:
        for _ in range(5):
            with pytest.raises(BulkheadFullError):
                world.call(guarded)
    assert outer.state is State.CLOSED
    assert world.call(guarded) == "fine"
