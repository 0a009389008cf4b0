"""``for attempt in Retry(): with attempt: …``, plain and async."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref

import pytest
import tenacity

from tenuto.errors import CircuitOpenError
from tenuto.policies import (
    Attempt,
    Backoff,
    ResultRejectedError,
    RetryBudget,
    StopReason,
    time_left,
)

NO_WAIT = Backoff("fixed", initial=0.0)


@pytest.fixture
def loop(world):
    """Run ``body(attempt)`` in a loop of ``policy``, in the form of this world."""

    def run(policy, body):
        if world.kind == "sync":

            def plain():
                for attempt in policy:
                    with attempt:
                        body(attempt)

            return plain()

        async def waiting():
            async for attempt in policy:
                with attempt:
                    body(attempt)

        return world.call(waiting)

    return run


def failing(times, error=ConnectionError):
    """A body that fails as often, and lists the numbers of its attempts."""
    numbers = []

    def body(attempt):
        numbers.append(attempt.number)
        if len(numbers) <= times:
            raise error("down") if isinstance(error, type) else error

    body.numbers = numbers
    return body


def test_a_block_that_goes_well_runs_once(loop, retry, events, clock):
    body = failing(0)
    loop(retry(), body)
    assert body.numbers == [1]
    assert (events, clock.sleeps) == ([], [])


def test_a_block_that_fails_is_repeated(loop, retry, events, clock):
    body = failing(2)
    loop(retry(3, name="hub"), body)
    assert body.numbers == [1, 2, 3]
    assert [event.kind for event in events] == ["retried", "retried", "recovered"]
    assert {event.name for event in events} == {"hub"}
    assert clock.sleeps == [event.wait for event in events[:2]]


def test_the_users_own_error_comes_out_in_the_end(loop, retry, events):
    error = ConnectionError("the same each time")
    body = failing(9, error)
    with pytest.raises(ConnectionError) as caught:
        loop(retry(2, NO_WAIT), body)
    assert caught.value is error
    assert body.numbers == [1, 2, 3]
    assert error.__notes__[0].startswith("tenuto: retry, attempt 3: attempts exhausted; 1:")
    assert error.__cause__ is error.__context__ is None
    assert events[-1].reason is StopReason.ATTEMPTS


def test_an_error_that_is_not_repeated_comes_out_at_once(loop, retry, events):
    body = failing(9, ValueError)
    with pytest.raises(ValueError):
        loop(retry(), body)
    assert body.numbers == [1]
    assert events[-1].reason is StopReason.NOT_RETRYABLE


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
def test_an_interruption_passes(retry, events, error):
    (attempt,) = [each for each in retry()]  # noqa: C416
    with pytest.raises(error), attempt:
        raise error
    assert events == []
    assert attempt.wait is None


def test_every_attempt_is_timed(loop, retry, events, clock):
    def slow(attempt):
        clock.advance(2.0)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        loop(retry(1, NO_WAIT), slow)
    assert [attempt.duration for attempt in events[-1].history] == [2.0, 2.0]
    assert isinstance(events[-1].history[0], Attempt)


def test_results_are_judged_where_they_are_told(loop, retry):
    rule = tenacity.retry_if_result(lambda result: result is None)
    policy = retry(2, NO_WAIT, retry=rule)
    answers = iter([None, "sound", None, None, None])

    def body(attempt):
        attempt.set_result(next(answers))

    loop(policy, body)
    with pytest.raises(ResultRejectedError) as caught:
        loop(policy, body)
    assert caught.value.result is None
    assert list(answers) == []


def test_a_block_that_tells_no_result_is_accepted(loop, retry):
    body = failing(0)
    loop(retry(retry=tenacity.retry_if_result(lambda result: result is None)), body)
    assert body.numbers == [1]


def test_an_error_after_a_result_counts_as_an_error(loop, retry):
    def body(attempt):
        attempt.set_result("sound")
        raise ValueError

    with pytest.raises(ValueError):
        loop(retry(), body)


def test_the_loop_may_be_left_early(retry, events, world):
    def leave():
        for attempt in retry():
            with attempt:
                return attempt.number
        return None

    async def leave_async():
        async for attempt in retry():
            with attempt:
                return attempt.number
        return None

    assert world.call(leave if world.kind == "sync" else leave_async) == 1

    for attempt in retry(1, NO_WAIT):
        with attempt:
            if attempt.number == 1:
                raise ConnectionError
            break
    assert [event.kind for event in events] == ["retried", "recovered"]


def test_an_attempt_that_is_not_made_ends_the_loop(retry, world):
    numbers = []

    async def idle():
        numbers.extend([attempt.number async for attempt in retry()])

    if world.kind == "sync":
        numbers.extend([attempt.number for attempt in retry()])
    else:
        world.call(idle)
    assert numbers == [1]


def test_each_loop_counts_for_itself(retry):
    policy = retry(1, NO_WAIT)
    for _ in range(3):
        outer = failing(1)
        for attempt in policy:
            with attempt:
                for again in policy:
                    inner = failing(0)
                    with again:
                        inner(again)
                outer(attempt)
        assert outer.numbers == [1, 2]


def test_no_wait_passes_the_deadline_and_the_block_knows_of_it(loop, retry, clock, events):
    left = []

    def body(attempt):
        left.append(time_left())
        clock.advance(1.0)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        loop(retry(9, Backoff("fixed", initial=4.0, jitter=False), deadline=10.0), body)
    assert left == [10.0, 5.0]
    assert events[-1].reason is StopReason.DEADLINE
    assert time_left() is None


def test_a_budget_is_spent_and_refilled(loop, retry):
    budget = RetryBudget(capacity=10, cost=5)
    loop(retry(9, NO_WAIT, budget=budget), failing(1))
    assert budget.tokens == 6
    with pytest.raises(ConnectionError):
        loop(retry(9, NO_WAIT, budget=budget), failing(9))
    assert budget.suppressed == 1


def test_what_was_given_up_inside_is_not_repeated(loop, retry, flaky, events):
    dead = flaky(99)
    inner = retry(1, NO_WAIT)(dead)
    with pytest.raises(ConnectionError):
        loop(retry(5, NO_WAIT), lambda attempt: inner("x"))
    assert dead.calls == 2
    assert events[-1].reason is StopReason.GIVEN_UP_INSIDE


def test_a_cause_that_was_given_up_or_refused_counts_here_too(loop, retry, flaky, events):
    inner = retry(1, NO_WAIT)(flaky(99))

    def translate(attempt):
        try:
            inner("x")
        except ConnectionError as error:
            raise OSError from error

    with pytest.raises(OSError):
        loop(retry(5, NO_WAIT), translate)
    assert events[-1].reason is StopReason.GIVEN_UP_INSIDE

    def refused(attempt):
        raise ConnectionError from CircuitOpenError("hub", 5.0)

    with pytest.raises(ConnectionError):
        loop(retry(5, NO_WAIT), refused)
    assert events[-1].reason is StopReason.REFUSED


def test_a_loop_run_while_a_given_up_error_is_handled_has_all_its_attempts(loop, retry, flaky):
    guarded = retry(1, NO_WAIT)(flaky(99))
    body = failing(2)
    try:
        guarded("x")
    except ConnectionError:
        loop(retry(2, NO_WAIT), body)
    assert body.numbers == [1, 2, 3]


def test_the_type_of_the_final_error_can_be_chosen(loop, retry):
    with pytest.raises(LookupError) as caught:
        loop(retry(1, NO_WAIT, raise_as=LookupError), failing(9))
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_nothing_of_a_failed_attempt_is_held(retry):
    class Tensor:
        pass

    kept = []

    def body():
        tensor = Tensor()
        kept.append(weakref.ref(tensor))
        raise ConnectionError

    gc.disable()
    try:
        for attempt in retry(2, NO_WAIT):
            with attempt:
                assert all(ref() is None for ref in kept)
                if attempt.number < 3:
                    body()
        attempts = retry(0, raise_as=LookupError)
        with pytest.raises(LookupError), next(iter(attempts)):
            body()
    finally:
        gc.enable()


def test_the_attempts_of_one_loop_may_be_passed_on(retry):
    attempts = iter(retry(1, NO_WAIT))
    assert iter(attempts) is attempts
    assert aiter(attempts) is attempts


def test_a_block_that_another_context_ends_is_ended_all_the_same(retry):
    trial = next(iter(retry(deadline=10.0)))
    contextvars.copy_context().run(trial.__enter__)
    assert not contextvars.copy_context().run(trial.__exit__, None, None, None)
