from __future__ import annotations

import asyncio
import inspect
import pickle

import pytest

from tenuto.errors import (
    CallTimeoutError,
    ConfigurationError,
    ExternalServiceError,
    FaultClass,
    RefusalReason,
    RefusedError,
)
from tenuto.policies import (
    Backoff,
    CircuitBreaker,
    DeadlinePassedError,
    EventKind,
    Fallback,
    Retry,
    State,
    Timeout,
    deadline,
    time_left,
)

NO_WAIT = Backoff("fixed", initial=0.0)


@pytest.fixture
def timeout(clock, events):
    def build(seconds, *args, **settings):
        return Timeout(seconds, *args, clock=clock, on_event=events.append, **settings)

    return build


@pytest.fixture
def run(clock):
    """Run a coroutine function on a loop in simulated time."""
    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        yield lambda function, *args: runner.run(function(*args))


@pytest.fixture
def slow(clock):
    """A plain function that blocks for as long as it is told to."""

    def build(seconds, error=None):
        def slow(value="done"):
            clock.sleep(seconds)
            if error is not None:
                raise error
            return value

        return slow

    return build


def kinds(events):
    return [event.kind for event in events]


# --- both kinds of functions ------------------------------------------------------------------


def test_a_call_that_is_in_time_passes(world, timeout, slow, events):
    guarded = timeout(5.0)(world.function(slow(4.0)))
    assert world.call(guarded, "x") == "x"
    assert events == []


def test_an_error_that_is_in_time_passes(world, timeout, slow, events):
    error = TimeoutError("of its own")
    with pytest.raises(TimeoutError) as caught:
        world.call(timeout(5.0)(world.function(slow(4.0, error))))
    assert caught.value is error
    assert events == []


def test_a_call_that_blocks_cannot_be_stopped_and_its_result_is_kept(world, timeout, slow, events):
    guarded = timeout(5.0, "hub")(world.function(slow(7.0)))
    assert world.call(guarded, "x") == "x"
    (event,) = events
    assert (event.kind, event.policy, event.name) == (EventKind.OVERRAN, "timeout", "hub")
    assert event.limit == 5.0
    assert event.error is None


def test_a_late_error_is_the_calls_own(world, clock, slow):
    seen = []
    policy = Timeout(5.0, clock=clock, on_event=lambda event: seen.append((event, event.error)))
    error = ConnectionError("late")
    with pytest.raises(ConnectionError) as caught:
        world.call(policy(world.function(slow(7.0, error))))
    assert caught.value is error
    (event, told) = seen[0]
    assert (event.kind, event.fault_class) == (EventKind.OVERRAN, FaultClass.INFRASTRUCTURE)
    assert told is error


def test_an_interruption_that_is_late_counts_as_nothing(timeout, slow, events):
    with pytest.raises(KeyboardInterrupt):
        timeout(5.0)(slow(7.0, KeyboardInterrupt()))()
    assert events == []


def test_nobody_has_to_listen(world, clock, slow):
    assert world.call(Timeout(5.0, clock=clock)(world.function(slow(7.0)))) == "done"


def test_what_is_inside_sees_how_much_time_there_is(world, timeout, clock):
    guarded = timeout(5.0)(world.function(time_left))
    assert world.call(guarded) == 5.0
    assert time_left() is None
    with deadline(3.0, clock=clock):
        assert world.call(guarded) == 3.0
    with deadline(9.0, clock=clock):
        assert world.call(guarded) == 5.0


def test_an_outer_deadline_is_the_limit_where_it_is_nearer(world, timeout, slow, clock, events):
    with deadline(3.0, clock=clock):
        world.call(timeout(5.0)(world.function(slow(4.0))))
    assert kinds(events) == [EventKind.OVERRAN]
    assert events[0].limit == 3.0


def test_waits_inside_keep_to_the_limit(world, timeout, clock, flaky):
    patient = Retry(9, Backoff("fixed", initial=2.0, jitter=False), clock=clock)
    with pytest.raises(ConnectionError) as caught:
        world.call(timeout(5.0)(patient(world.function(flaky(99)))))
    assert "the next wait would pass the deadline" in caught.value.__notes__[0]
    assert clock.sleeps == [2.0, 2.0]


def test_inside_a_retry_the_limit_is_for_each_attempt(world, timeout, retry, clock):
    lefts = []

    def fail():
        lefts.append(time_left())
        raise ConnectionError

    with pytest.raises(ConnectionError):
        world.call(stack_of(retry(2, Backoff("fixed", 4.0)), timeout(5.0))(world.function(fail)))
    assert lefts == [5.0, 5.0, 5.0]


def stack_of(*policies):
    def guard(function):
        for policy in reversed(policies):
            function = policy(function)
        return function

    return guard


def test_once_no_time_is_left_a_call_is_refused_and_not_made(world, timeout, clock, flaky, events):
    target = flaky(0)
    guarded = timeout(5.0, "hub")(world.function(target))
    with deadline(3.0, clock=clock):
        clock.advance(3.0)
        with pytest.raises(DeadlinePassedError, match="hub was not called: the deadline") as caught:
            world.call(guarded)
    assert target.calls == 0
    error = caught.value
    assert isinstance(error, RefusedError)
    assert isinstance(error, CallTimeoutError)
    assert isinstance(error, TimeoutError)
    assert (error.policy, error.service) == ("timeout", "hub")
    assert error.reason is RefusalReason.DEADLINE
    assert kinds(events) == [EventKind.REFUSED]
    assert events[0].reason is RefusalReason.DEADLINE
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_calls_that_come_too_late_do_not_trip_a_circuit(world, timeout, clock, flaky):
    breaker = CircuitBreaker("hub", 1, clock=clock)
    guarded = stack_of(breaker, timeout(5.0))(world.function(flaky(0)))
    with deadline(0.0, clock=clock), pytest.raises(DeadlinePassedError):
        world.call(guarded)
    assert breaker.state is State.CLOSED


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf"), "5", True])
def test_a_limit_that_makes_no_sense_is_refused(seconds):
    with pytest.raises(ConfigurationError):
        Timeout(seconds)


@pytest.mark.parametrize("isolate", [False, True])
def test_a_generator_is_refused_because_it_runs_on_in_its_consumer(isolate):
    def items():
        yield

    async def more_items():
        yield

    for function in (items, more_items):
        with pytest.raises(ConfigurationError, match="generator"):
            Timeout(5.0, isolate=isolate)(function)


def test_a_guarded_function_is_of_the_same_kind_and_name():
    def plain(value):
        """About plain."""

    async def coroutine(value): ...

    assert Timeout(5.0)(plain).__doc__ == "About plain."
    assert not inspect.iscoroutinefunction(Timeout(5.0)(plain))
    assert inspect.iscoroutinefunction(Timeout(5.0)(coroutine))
    assert Timeout(5.0)(coroutine).__name__ == "coroutine"


def test_a_timeout_is_shown_in_one_line():
    assert str(Timeout(5)) == "Timeout(5 s)"
    assert str(Timeout(0.5, isolate=True)) == "Timeout(0.5 s, in a process of its own)"


# --- coroutines, which can be cancelled -------------------------------------------------------


async def hang():
    await asyncio.sleep(1000)


def test_a_coroutine_is_cancelled_when_its_time_is_up(run, timeout, clock, events):
    cleaned_up_at = []

    async def hang_and_clean_up():
        try:
            await asyncio.sleep(1000)
        finally:
            cleaned_up_at.append(clock.monotonic())

    with pytest.raises(CallTimeoutError, match="hub timed out after 5 s") as caught:
        run(timeout(5.0, "hub")(hang_and_clean_up))
    assert cleaned_up_at == [5.0]
    error = caught.value
    assert isinstance(error, TimeoutError)
    assert isinstance(error, ExternalServiceError)
    assert (error.service, error.limit) == ("hub", 5.0)
    assert isinstance(error.__cause__, asyncio.CancelledError)  # its traceback shows the place
    (event,) = events
    assert (event.kind, event.name, event.limit) == (EventKind.TIMED_OUT, "hub", 5.0)
    assert event.fault_class is FaultClass.INFRASTRUCTURE


def test_a_function_that_returns_a_coroutine_is_limited_too(run, timeout, clock):
    def begin():
        clock.sleep(2.0)  # before there is a coroutine: this counts
        return hang()

    async def main():
        return await timeout(5.0, "hub")(begin)()

    with pytest.raises(CallTimeoutError):
        run(main)
    assert clock.monotonic() == 5.0


def test_a_coroutine_that_is_in_time_is_not_disturbed(run, timeout, events):
    async def brief():
        await asyncio.sleep(4.0)
        return time_left()

    assert run(timeout(5.0)(brief)) == pytest.approx(1.0)
    assert events == []


def test_a_cancellation_from_outside_stays_one(run, timeout, clock, events):
    async def main():
        task = asyncio.ensure_future(timeout(5.0)(hang)())
        await asyncio.sleep(2.0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert run(main)
    assert clock.monotonic() == 2.0
    assert events == []


def test_a_cancellation_from_outside_stays_one_when_the_time_is_up_too(run, timeout, events):
    async def slow_to_clean_up():
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(4.0)

    async def main():
        task = asyncio.ensure_future(timeout(5.0)(slow_to_clean_up)())
        await asyncio.sleep(2.0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert run(main)
    assert events == []


def test_a_timeout_inside_is_not_taken_for_the_one_outside(run, timeout, events):
    inner, outer = timeout(3.0, "inner"), timeout(5.0, "outer")
    with pytest.raises(CallTimeoutError) as caught:
        run(outer(inner(hang)))
    assert caught.value.service == "inner"
    assert kinds(events) == [EventKind.TIMED_OUT]
    events.clear()
    with pytest.raises(CallTimeoutError) as caught:
        run(inner(outer(hang)))
    assert caught.value.limit == 3.0
    assert events[-1].name == "inner"


def test_a_timeout_of_the_calls_own_is_not_taken_for_the_limit(run, timeout, events):
    async def own():
        async with asyncio.timeout(2.0):
            await asyncio.sleep(1000)

    with pytest.raises(TimeoutError) as caught:
        run(timeout(5.0)(own))
    assert not isinstance(caught.value, CallTimeoutError)
    assert events == []


def test_an_error_in_answer_to_the_cancellation_is_the_calls_own(run, timeout, events):
    async def fussy():
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            raise TimeoutError("of its own") from None

    with pytest.raises(TimeoutError, match="of its own") as caught:
        run(timeout(5.0)(fussy))
    assert not isinstance(caught.value, CallTimeoutError)
    assert kinds(events) == [EventKind.OVERRAN]


def test_a_coroutine_that_swallows_its_cancellation_goes_on_and_is_told_of(run, timeout, events):
    async def stubborn():
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            await asyncio.sleep(60)
        return "late"

    async def main():
        result = await timeout(5.0)(stubborn)()
        assert asyncio.current_task().cancelling() == 0
        return result

    assert run(main) == "late"
    assert kinds(events) == [EventKind.OVERRAN]


def test_closing_a_coroutine_halfway_closes_what_it_guards(clock, timeout, events):
    closed = []

    async def hang():
        try:
            await asyncio.Event().wait()
        except GeneratorExit:
            closed.append(True)
            raise

    async def main():
        guarded = timeout(5.0)(hang)()
        guarded.send(None)
        guarded.close()

    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        runner.run(main())
    assert closed == [True]
    assert events == []


def test_an_outer_deadline_cancels_too(run, timeout, clock):
    async def main():
        with deadline(3.0, clock=clock):
            await timeout(5.0)(hang)()

    with pytest.raises(CallTimeoutError) as caught:
        run(main)
    assert caught.value.limit == 3.0


def test_timeouts_are_failures_of_the_dependency(run, timeout, clock, events):
    breaker = CircuitBreaker("hub", 3, clock=clock)
    patient = Retry(2, NO_WAIT, clock=clock)
    policy = stack_of(Fallback("local"), patient, breaker, timeout(5.0))
    assert run(policy(hang)) == "local"
    assert breaker.state is State.OPEN
    assert kinds(events) == [EventKind.TIMED_OUT] * 3
    assert clock.monotonic() == 15.0


def test_around_a_retry_the_limit_is_for_all_attempts(run, timeout, clock, events):
    policy = stack_of(timeout(12.0, "all"), Retry(9, NO_WAIT, clock=clock), timeout(5.0, "each"))
    with pytest.raises(CallTimeoutError) as caught:
        run(policy(hang))
    assert clock.monotonic() == 12.0
    assert caught.value.service in {"all", "each"}
    assert [event.limit for event in events[:2]] == [5.0, 5.0]


def test_a_call_cancelled_from_outside_is_neutral_to_the_circuit(run, timeout, clock):
    breaker = CircuitBreaker("hub", 1, clock=clock)

    async def main():
        task = asyncio.ensure_future(breaker(timeout(5.0)(hang))())
        await asyncio.sleep(2.0)
        task.cancel()
        await asyncio.wait([task])

    run(main)
    assert breaker.state is State.CLOSED
