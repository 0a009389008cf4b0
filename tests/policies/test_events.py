from __future__ import annotations

import pytest

from tenuto.policies import Backoff, CircuitBreaker, Fallback, Retry, State, hook_failures

NO_WAIT = Backoff("fixed", initial=0.0)


def broken(event):
    raise RuntimeError(f"cannot take {event.kind}")


def test_a_listener_that_fails_is_counted_and_nobody_else_notices(world, clock, flaky):
    before = hook_failures().count
    guarded = Fallback("local", on_event=broken)(
        Retry(1, NO_WAIT, clock=clock, on_event=broken)(
            CircuitBreaker("hub", 2, clock=clock, on_event=broken)(world.function(flaky(9)))
        )
    )
    assert world.call(guarded, "x") == "local"
    assert hook_failures().count == before + 4  # retried, tripped, gave up, fell back
    assert hook_failures().last == "RuntimeError: cannot take fell_back"


def test_a_listener_sees_the_live_exception_which_is_gone_when_it_returns(clock, flaky):
    seen, kept = [], []

    def listener(event):
        seen.append(type(event.error))
        kept.append(event)

    Retry(1, NO_WAIT, clock=clock, on_event=listener)(flaky(1))("x")
    assert seen == [ConnectionError, type(None)]
    assert [event.error for event in kept] == [None, None]


def test_a_listener_that_uses_a_guarded_function_is_not_told_of_its_own_doings(clock, flaky):
    told = []

    def listener(event):
        told.append(event.kind)
        assert guarded("the listener's own call") == "the listener's own call"

    dependency = flaky(1)
    guarded = Retry(1, NO_WAIT, clock=clock, on_event=listener)(dependency)
    original = dependency.failures
    dependency.failures = original + 1
    assert guarded("x") == "x"
    assert told == ["retried", "recovered"]


def test_an_interrupt_in_a_listener_gives_the_permit_back(world, clock, flaky):
    def listener(event):
        if event.kind == "probing":
            raise KeyboardInterrupt

    policy = CircuitBreaker("hub", 1, clock=clock, on_event=listener)
    guarded = policy(flaky(1))
    with pytest.raises(ConnectionError):
        guarded("x")
    clock.advance(60.0)
    with pytest.raises(KeyboardInterrupt):
        guarded("x")
    assert policy.state is State.HALF_OPEN
    assert guarded("x") == "x"
