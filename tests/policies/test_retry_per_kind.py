"""``Retry(per={…})``: other terms for some of the errors."""

from __future__ import annotations

import pytest
import tenacity

from tenuto.clock import SimulatedClock
from tenuto.errors import (
    BulkheadFullError,
    CircuitOpenError,
    ConfigurationError,
    ExternalServiceError,
    FaultClass,
    RateLimitedError,
    RefusedError,
    ResourceLimitError,
)
from tenuto.policies import Backoff, Retry, RetryBudget, StopReason, deadline

NO_WAIT = Backoff("fixed", initial=0.0)
ONE = Backoff("fixed", initial=1.0, jitter=False)
GROWING = Backoff("exponential", initial=1.0, jitter=False)


class Throttled(ExternalServiceError):
    """The server is busy."""


class Sequence:
    """Raises one error after the other, then returns."""

    __name__ = __qualname__ = "sequence"

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def test_each_kind_of_error_has_attempts_of_its_own(world, retry, events):
    policy = retry(1, NO_WAIT, per={TimeoutError: Retry(2, NO_WAIT), ValueError: Retry(1, NO_WAIT)})
    errors = [TimeoutError, ConnectionError, ValueError, TimeoutError]
    fine = Sequence(*errors)
    assert world.call(policy(world.function(fine))) == "done"
    assert fine.calls == 5

    for kind in (TimeoutError, ConnectionError, ValueError):
        once_too_often = Sequence(*errors, kind)
        with pytest.raises(kind):
            world.call(policy(world.function(once_too_often)))
        assert once_too_often.calls == 5
        assert events[-1].reason is StopReason.ATTEMPTS
        assert events[-1].attempt == 5  # of them all


def test_each_kind_of_error_has_waits_of_its_own(world, retry, clock):
    policy = retry(9, GROWING, per={Throttled: Retry(9, Backoff("linear", 10, 90, jitter=False))})
    world.call(
        policy(
            world.function(
                Sequence(ConnectionError, Throttled, ConnectionError, Throttled, ConnectionError)
            )
        )
    )
    assert clock.sleeps == [1.0, 10.0, 2.0, 20.0, 4.0]


def test_chance_grows_from_the_last_wait_of_its_own_kind(world, retry, clock):
    wait = Backoff("decorrelated", initial=1.0, maximum=1000.0)
    seen = []

    def waits(state):
        seen.append(state.upcoming_sleep)
        return wait(state)

    policy = retry(9, wait=waits, per={Throttled: Retry(9, wait=lambda _: 500.0)})
    world.call(policy(world.function(Sequence(ConnectionError, Throttled, ConnectionError))))
    assert seen == [0.0, clock.sleeps[0]]


def test_each_kind_of_error_has_stops_of_its_own(world, retry, clock, events):
    policy = retry(
        9,
        ONE,
        per={
            TimeoutError: Retry(wait=ONE, stop=tenacity.stop_after_attempt(2)),
            ConnectionError: Retry(wait=ONE, stop=tenacity.stop_after_delay(3)),
        },
    )
    assert policy.timed
    two = Sequence(TimeoutError, ConnectionError, TimeoutError)
    with pytest.raises(TimeoutError):
        world.call(policy(world.function(two)))
    assert (two.calls, events[-1].reason) == (3, StopReason.ATTEMPTS)
    late = Sequence(*[ConnectionError] * 9)
    with pytest.raises(ConnectionError):
        world.call(policy(world.function(late)))
    assert (late.calls, events[-1].reason) == (4, StopReason.CONDITION)


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (Throttled(), 2),  # its own type
        (ExternalServiceError(), 3),
        (ResourceLimitError(), 4),  # the class of the fault
        (ConnectionResetError(), 5),  # the nearest base, not OSError, though that is first
        (OSError(), 6),
        (KeyError(), 1),  # of no kind here, and a fault in the data by default
        (RuntimeError(), 7),  # nobody knows: the terms given outside
    ],
    ids=repr,
)
def test_the_nearest_base_decides_and_types_go_before_fault_classes(
    world, retry, flaky, error, calls
):
    policy = retry(
        6,
        NO_WAIT,
        per={
            FaultClass.RESOURCE: Retry(3, NO_WAIT),
            OSError: Retry(5, NO_WAIT),
            ConnectionError: Retry(4, NO_WAIT),
            ExternalServiceError: Retry(2, NO_WAIT),
            Throttled: Retry(1, NO_WAIT),
        },
    )
    failing = flaky(99, error)
    with pytest.raises(type(error)):
        world.call(policy(world.function(failing)), "x")
    assert failing.calls == calls


def test_a_kind_may_be_left_out(world, retry, flaky, events):
    failing = flaky(99, TimeoutError)
    with pytest.raises(TimeoutError):
        world.call(retry(3, NO_WAIT, per={TimeoutError: Retry(0)})(world.function(failing)), "x")
    assert failing.calls == 1


def test_what_is_repeated_otherwise_is_still_said_outside(world, retry, flaky):
    policy = retry(3, NO_WAIT, exceptions=KeyError, per={ValueError: Retry(1, NO_WAIT)})
    for kind, calls in ((KeyError, 4), (ValueError, 2), (ConnectionError, 1)):
        failing = flaky(99, kind)
        with pytest.raises(kind):
            world.call(policy(world.function(failing)), "x")
        assert failing.calls == calls


def test_a_results_judge_goes_by_the_terms_given_outside(world, retry):
    answers = iter([None, TimeoutError(), None, TimeoutError(), "sound"])

    def answer():
        given = next(answers)
        if isinstance(given, Exception):
            raise given
        return given

    rule = tenacity.retry_if_result(lambda result: result is None)
    policy = retry(2, NO_WAIT, retry=rule, per={TimeoutError: Retry(2, NO_WAIT)})
    assert world.call(policy(world.function(answer))) == "sound"


def test_the_hint_outside_holds_for_all_that_say_nothing_else(world, retry, clock):
    policy = retry(
        9,
        ONE,
        hint=lambda _: 7.0,
        per={
            TimeoutError: Retry(9, ONE),
            Throttled: Retry(9, ONE, hint=lambda _: 30.0),
            ValueError: Retry(9, ONE, hint=None),
        },
    )
    world.call(
        policy(world.function(Sequence(ConnectionError, TimeoutError, Throttled, ValueError)))
    )
    assert clock.sleeps == [7.0, 7.0, 30.0, 1.0]


def test_deadlines_bind_every_kind(world, retry, clock, events):
    policy = retry(9, ONE, per={TimeoutError: Retry(9, Backoff("fixed", initial=6, jitter=False))})
    with deadline(10, clock=clock), pytest.raises(TimeoutError):
        world.call(policy(world.function(Sequence(TimeoutError, ConnectionError, TimeoutError))))
    assert clock.sleeps == [6.0, 1.0]
    assert events[-1].reason is StopReason.DEADLINE


@pytest.mark.parametrize(
    ("kind", "error", "calls"),
    [
        (ExternalServiceError, CircuitOpenError("hub", 5.0), 1),
        (FaultClass.RESOURCE, BulkheadFullError(service="hub"), 1),
        (FaultClass.INFRASTRUCTURE, RateLimitedError(retry_after=1), 3),
        (CircuitOpenError, CircuitOpenError("hub", 5.0), 3),
        (RefusedError, BulkheadFullError(service="hub"), 3),
    ],
    ids=str,
)
def test_a_refusal_is_repeated_only_where_refusals_are_meant(retry, flaky, kind, error, calls):
    refused = flaky(99, error)
    with pytest.raises(type(error)):
        retry(9, per={kind: Retry(2, NO_WAIT)})(refused)("x")
    assert refused.calls == calls


def test_a_rule_with_a_bug_ends_the_retry(world, retry, flaky, events):
    policy = retry(per={ConnectionError: Retry(wait=lambda _: 1 / 0)})
    with pytest.raises(ConnectionError):
        world.call(policy(world.function(flaky(1))), "x")
    assert events[-1].reason is StopReason.BROKEN_RULE


@pytest.mark.parametrize(
    ("per", "what"),
    [
        (7, "mapping"),
        ({TimeoutError: 4}, "Retry for TimeoutError"),
        ({"resource": Retry()}, "'resource'"),
        ({int: Retry()}, "int"),
        ({KeyboardInterrupt: Retry()}, "KeyboardInterrupt"),
        ({FaultClass.CANCELLED: Retry()}, "CANCELLED"),
        ({TimeoutError: Retry(per={OSError: Retry()})}, "per cannot differ for TimeoutError"),
        ({TimeoutError: Retry(deadline=3)}, "deadline"),
        ({TimeoutError: Retry(name="hub")}, "name"),
        ({TimeoutError: Retry(exceptions=OSError)}, "exceptions"),
        ({TimeoutError: Retry(retry=bool)}, "retry"),
        ({TimeoutError: Retry(budget=RetryBudget())}, "budget"),
        ({TimeoutError: Retry(raise_as=OSError)}, "raise_as"),
        ({TimeoutError: Retry(max_hint=5)}, "max_hint"),
        ({TimeoutError: Retry(repeat_given_up=True)}, "repeat_given_up"),
        ({TimeoutError: Retry(on_event=print)}, "on_event"),
        ({TimeoutError: Retry(clock=SimulatedClock())}, "clock"),
    ],
)
def test_what_makes_no_sense_there_is_refused_when_it_is_built(per, what):
    with pytest.raises(ConfigurationError, match=what) as caught:
        Retry(per=per)
    assert caught.value.setting == "per"


def test_it_is_shown_and_compared_like_everything_else():
    policy = Retry(
        3, "fixed", per={TimeoutError: Retry(4, "linear"), FaultClass.RESOURCE: Retry(1, "fixed")}
    )
    assert str(policy) == (
        "Retry(4 calls, fixed from 0.5 s; TimeoutError: 4 retries, linear from 0.5 s; "
        "resource: 1 retry, fixed from 0.5 s)"
    )
    assert policy == Retry(
        3, "fixed", per={TimeoutError: Retry(4, "linear"), FaultClass.RESOURCE: Retry(1, "fixed")}
    )
    assert policy != Retry(3, "fixed")
    assert hash(policy) == hash(Retry(3, "fixed"))
    until = Retry(per={TimeoutError: Retry(stop=tenacity.stop_after_delay(1))})
    assert "TimeoutError: until its stop condition" in str(until)
    assert Retry(per={}).rules is None
