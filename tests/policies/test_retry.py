from __future__ import annotations

import math
import pickle

import pytest
import tenacity

from tenuto.errors import (
    CircuitOpenError,
    ConfigurationError,
    DecodeError,
    ExternalServiceError,
    FaultClass,
    ResourceLimitError,
)
from tenuto.policies import (
    Attempt,
    Backoff,
    EventKind,
    ResultRejectedError,
    Retry,
    StopReason,
    deadline,
    hook_failures,
)

NO_WAIT = Backoff("fixed", initial=0.0)


class Unheard(Exception):
    """Nobody knows whose fault this is."""


@pytest.fixture
def retry(clock, events):
    def build(*args, **settings):
        return Retry(*args, clock=clock, on_event=events.append, **settings)

    return build


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
    from tenuto.policies.progress import Progress

    progress = Progress(Retry(), "x", (print, (), {}), given_up_before=0, begun=False)
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
