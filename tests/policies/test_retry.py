from __future__ import annotations

import math

import pytest
import tenacity

from tenuto.errors import (
    ConfigurationError,
    DecodeError,
    ExternalServiceError,
    FaultClass,
    ResourceLimitError,
)
from tenuto.policies import (
    Attempt,
    Backoff,
    StopReason,
    deadline,
    hook_failures,
)


class Unheard(Exception):
    """Nobody knows whose fault this is."""


def test_three_retries_are_at_most_four_calls(world, retry, flaky):
    dead = flaky(99)
    with pytest.raises(ConnectionError):
        world.call(retry(3)(world.function(dead)), "x")
    assert dead.calls == 4


def test_stop_after_attempt_three_is_three_calls_whatever_max_retries_says(world, retry, flaky):
    dead = flaky(99)
    with pytest.raises(ConnectionError):
        world.call(retry(9, stop=tenacity.stop_after_attempt(3))(world.function(dead)), "x")
    assert dead.calls == 3


def test_no_retries_is_one_call_as_it_is(world, retry, flaky):
    dead = flaky(99)
    with pytest.raises(ConnectionError):
        world.call(retry(0)(world.function(dead)), "x")
    assert dead.calls == 1


def test_two_failures_then_success(world, retry, flaky, clock, events):
    twice = flaky(2)
    assert world.call(retry()(world.function(twice)), "audio") == "audio"
    assert twice.calls == 3
    assert [event.kind for event in events] == ["retried", "retried", "recovered"]
    assert [event.attempt for event in events] == [1, 2, 3]
    assert clock.sleeps == [event.wait for event in events[:2]]
    assert events[-1].wait is None


def test_a_call_that_goes_well_asks_no_clock_and_makes_no_event(world, retry, flaky, events):
    assert world.call(retry()(world.function(flaky(0))), "audio") == "audio"
    assert events == []


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (ConnectionError("infrastructure"), 4),
        (Unheard("nobody knows"), 4),
        (ValueError("data"), 1),
        (DecodeError("data"), 1),
        (ResourceLimitError("memory"), 1),
        (ConfigurationError("model"), 1),
        (TypeError("bug"), 1),
        (PermissionError(13, "configuration"), 1),
    ],
)
def test_only_what_may_pass_is_repeated(world, retry, flaky, error, calls):
    failing = flaky(99, error)
    with pytest.raises(type(error)):
        world.call(retry()(world.function(failing)), "x")
    assert failing.calls == calls


@pytest.mark.parametrize(
    ("exceptions", "calls"),
    [
        (ValueError, 4),
        ((KeyError, ValueError), 4),
        (lambda error: "please" in str(error), 4),
        (ConnectionError, 1),
        ((), 1),
    ],
)
def test_exceptions_say_what_is_repeated_instead(world, retry, flaky, exceptions, calls):
    failing = flaky(99, ValueError("please"))
    with pytest.raises(ValueError):
        world.call(retry(exceptions=exceptions)(world.function(failing)), "x")
    assert failing.calls == calls


def test_the_users_own_exception_is_raised_with_its_history_in_a_note(world, clock, retry, events):
    raised = []

    def slow():
        clock.advance(2.0)
        raised.append(ConnectionError(f"number {len(raised)}"))
        raise raised[-1]

    slow.__qualname__ = "slow"
    guarded = retry(2, Backoff("linear", initial=1.0, jitter=False), name="hub")(
        world.function(slow)
    )
    with pytest.raises(ConnectionError) as caught:
        world.call(guarded)
    assert caught.value is raised[2]
    (note,) = caught.value.__notes__
    assert note == (
        "tenuto: hub, attempt 3: attempts exhausted; 1: infrastructure, waited 1 s; "
        "2: infrastructure after 2 s, waited 2 s; 3: infrastructure after 2 s"
    )
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    last = events[-1]
    assert (last.kind, last.reason, last.name) == ("gave_up", StopReason.ATTEMPTS, "hub")
    assert last.history == (
        Attempt(1, FaultClass.INFRASTRUCTURE, 1.0, None),
        Attempt(2, FaultClass.INFRASTRUCTURE, 2.0, 2.0),
        Attempt(3, FaultClass.INFRASTRUCTURE, None, 2.0),
    )


def test_an_error_that_is_not_repeated_says_why(world, retry, flaky, events):
    with pytest.raises(ValueError) as caught:
        world.call(retry(name="decode")(world.function(flaky(1, ValueError))), "x")
    assert caught.value.__notes__ == [
        "tenuto: decode, attempt 1: not a fault that repeating can cure"
    ]
    assert [event.reason for event in events] == [StopReason.NOT_RETRYABLE]


def test_one_exception_object_raised_for_ever_keeps_one_note(world, retry, flaky):
    error = ConnectionError("the same each time")
    error.add_note("the user's own")
    failing = flaky(99, error)
    guarded = retry(1)(world.function(failing))
    for _ in range(3):
        with pytest.raises(ConnectionError):
            world.call(guarded, "x")
    assert failing.calls == 6  # its mark is from an earlier call, and no reason to give up
    assert len(error.__notes__) == 2
    assert error.__notes__[0] == "the user's own"


def test_an_error_that_refuses_notes_and_marks_is_raised_all_the_same(world, retry, flaky):
    class Stubborn(ConnectionError):
        def add_note(self, note):
            raise RuntimeError("no")

        def __setattr__(self, name, value):
            raise RuntimeError("no")

    before = hook_failures().count
    with pytest.raises(Stubborn):
        world.call(retry(1)(world.function(flaky(99, Stubborn))), "x")
    assert hook_failures().count == before + 1


def test_a_server_that_says_when_to_come_back_is_obeyed(world, retry, flaky, clock):
    class Throttled(ExternalServiceError):
        pass

    hinted = flaky(1, Throttled("hub", 7))
    assert world.call(retry()(world.function(hinted)), "x") == "x"
    assert clock.sleeps == [7.0]


@pytest.mark.parametrize("hint", [-1, 0, math.nan, math.inf, "soon", True, None])
def test_a_hint_that_makes_no_sense_is_ignored(world, retry, flaky, clock, hint):
    error = ConnectionError()
    error.retry_after = hint
    guarded = retry(backoff=Backoff("fixed", initial=3.0, jitter=False))
    assert world.call(guarded(world.function(flaky(1, error))), "x") == "x"
    assert clock.sleeps == [3.0]


def test_no_wait_passes_an_outer_deadline(world, retry, flaky, clock, events):
    dead = flaky(99)
    guarded = retry(9, Backoff("fixed", initial=4.0, jitter=False))(world.function(dead))
    with deadline(10.0, clock=clock), pytest.raises(ConnectionError):
        world.call(guarded, "x")
    assert clock.sleeps == [4.0, 4.0]
    assert events[-1].reason is StopReason.DEADLINE


def test_no_hint_passes_an_outer_deadline(world, retry, flaky, clock, events):
    hinted = flaky(1, ExternalServiceError("hub", 60))
    with deadline(10.0, clock=clock), pytest.raises(ExternalServiceError):
        world.call(retry()(world.function(hinted)), "x")
    assert clock.sleeps == []
    assert events[-1].reason is StopReason.DEADLINE


def test_a_retry_may_bring_its_own_deadline_and_inner_retries_keep_it(world, retry, flaky, clock):
    dead = flaky(99)
    inner = retry(9, Backoff("fixed", initial=4.0, jitter=False))(world.function(dead))
    outer = retry(0, deadline=10.0)

    if world.kind == "async":

        async def middle():
            return await inner("x")
    else:

        def middle():
            return inner("x")

    with pytest.raises(ConnectionError):
        world.call(outer(middle))
    assert clock.monotonic() == 8.0
    with pytest.raises(ConnectionError):
        world.call(inner, "x")
    assert clock.monotonic() == 8.0 + 36.0  # outside, it is not bound


def test_a_success_within_the_deadline_is_just_returned(world, retry, flaky):
    assert world.call(retry(deadline=10.0)(world.function(flaky(1))), "x") == "x"


async def test_a_plain_function_may_fail_first_and_return_an_awaitable_later(retry, events, clock):
    """Its waits block until it is known to; from then on they do not."""
    ways = iter(["raise", "fail", "answer", "raise", "answer"])

    async def answer(way):
        if way == "fail":
            raise ConnectionError("later")
        return "done"

    @retry(3, Backoff("fixed", initial=1.0, jitter=False))
    def hands_on():
        way = next(ways)
        if way == "raise":
            raise ConnectionError("at once")
        return answer(way)

    assert await hands_on() == "done"
    assert [event.attempt for event in events] == [1, 2, 3]
    assert await hands_on() == "done"
    assert clock.sleeps == [1.0, 1.0, 1.0]
