from __future__ import annotations

import pickle

import pytest

from tenuto.errors import (
    CircuitOpenError,
)
from tenuto.policies import (
    Backoff,
    EventKind,
    StopReason,
)

NO_WAIT = Backoff("fixed", initial=0.0)


class Unheard(Exception):
    """Nobody knows whose fault this is."""


def layers(world, retry, function, count, **settings):
    for _ in range(count):
        guarded = retry(2, NO_WAIT, **settings)(function)
        if world.kind == "async":

            async def function(value, guarded=guarded):
                return await guarded(value)
        else:

            def function(value, guarded=guarded):
                return guarded(value)

    return function


def test_three_layers_of_two_retries_make_three_calls(world, retry, flaky, events):
    dead = flaky(99)
    with pytest.raises(ConnectionError):
        world.call(layers(world, retry, world.function(dead), 3), "x")
    assert dead.calls == 3
    given_up = [event.reason for event in events if event.kind is EventKind.GAVE_UP]
    assert given_up == [
        StopReason.ATTEMPTS,
        StopReason.GIVEN_UP_INSIDE,
        StopReason.GIVEN_UP_INSIDE,
    ]


def test_told_to_repeat_what_was_given_up_the_attempts_multiply(world, retry, flaky):
    dead = flaky(99)
    stacked = layers(world, retry, world.function(dead), 3, repeat_given_up=True)
    with pytest.raises(ConnectionError):
        world.call(stacked, "x")
    assert dead.calls == 27


def test_an_error_caused_by_one_that_was_given_up_is_not_repeated(world, retry, flaky):
    dead = flaky(99)
    inner = retry(1, NO_WAIT)(dead)

    @retry(5, NO_WAIT)
    @world.function
    def outer():
        try:
            inner("x")
        except ConnectionError as error:
            raise Unheard from error

    with pytest.raises(Unheard):
        world.call(outer)
    assert dead.calls == 2


def test_unrelated_calls_inside_one_outer_attempt_keep_their_own_attempts(world, retry, flaky):
    first, second = flaky(2), flaky(2)
    guard = retry(2, NO_WAIT)
    one, other = guard(first), guard(second)

    @retry(2, NO_WAIT)
    @world.function
    def outer():
        return one("a") + other("b")

    assert world.call(outer) == "ab"
    assert (first.calls, second.calls) == (3, 3)


def test_a_call_made_while_a_given_up_error_is_handled_has_all_its_attempts(world, retry, flaky):
    """Python chains its errors to the one being handled; they do not come from it."""
    dead, plan_b = flaky(99), flaky(2)
    guarded = retry(2, NO_WAIT)(world.function(dead))
    rescue = retry(2, NO_WAIT)(world.function(plan_b))

    def run():
        try:
            world.call(guarded, "x")
        except ConnectionError:
            return world.call(rescue, "saved")

    assert run() == "saved"
    assert plan_b.calls == 3


def test_a_retry_that_was_switched_off_inside_does_not_bind_the_outer_one(world, retry, flaky):
    failing = flaky(1)
    off = retry(0)(failing)
    assert world.call(retry(2, NO_WAIT)(world.function(off)), "x") == "x"


def test_what_was_given_up_in_another_process_is_not_repeated_here(world, retry, flaky):
    with pytest.raises(ConnectionError) as caught:
        retry(1, NO_WAIT)(flaky(99))("x")
    arrived = pickle.loads(pickle.dumps(caught.value))  # as through a process pool
    failing = flaky(99, arrived)
    with pytest.raises(ConnectionError):
        world.call(retry(5, NO_WAIT)(world.function(failing)), "x")
    assert failing.calls == 1


def test_endless_causes_end_the_search(world, retry):
    def fail():
        error = ConnectionError("the last of a hundred")
        for _ in range(100):
            new = ConnectionError()
            new.__cause__, error = error, new
        raise error

    with pytest.raises(ConnectionError):
        world.call(retry(1, NO_WAIT)(world.function(fail)))


def test_a_context_that_was_suppressed_is_no_ancestor(world, retry, flaky):
    dead = flaky(99)
    inner = retry(1, NO_WAIT)(dead)
    calls = []

    @retry(2, NO_WAIT)
    @world.function
    def outer():
        calls.append(1)
        try:
            inner("x")
        except ConnectionError:
            raise Unheard("from none of that") from None

    with pytest.raises(Unheard):
        world.call(outer)
    assert len(calls) == 3


def test_a_refused_call_is_not_repeated_unless_asked_for(world, retry, flaky, events, clock):
    refused = flaky(1, CircuitOpenError("hub", 5.0))
    with pytest.raises(CircuitOpenError):
        world.call(retry()(world.function(refused)), "x")
    assert events[-1].reason is StopReason.REFUSED
    patient = flaky(1, CircuitOpenError("hub", 5.0))
    assert world.call(retry(exceptions=CircuitOpenError)(world.function(patient)), "x") == "x"
    assert clock.sleeps == [5.0]
