from __future__ import annotations

import asyncio
import gc

import pytest

from tenuto.errors import ConfigurationError, FaultClass, RateLimitedError, RefusalReason
from tenuto.policies import (
    Backoff,
    CircuitBreaker,
    EventKind,
    RateLimit,
    State,
    StopReason,
    deadline,
    hook_failures,
)
from tests.interleaving import every_preemption, interleaved, random_schedules


@pytest.fixture
def limit(clock, events):
    def build(*args, **settings):
        return RateLimit(*args, clock=clock, on_event=events.append, **settings)

    return build


@pytest.fixture
def run(clock):
    """Run a coroutine on a loop in simulated time."""
    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        yield runner.run


@pytest.fixture
def starts(clock):
    """A function that tells when it was called."""

    def call(*_, **__):
        return clock.monotonic()

    return call


def refusal_of(call, *args):
    with pytest.raises(RateLimitedError) as caught:
        call(*args)
    return caught.value


# --- the rate ---------------------------------------------------------------------------------


def test_calls_over_the_rate_are_refused_and_told_when_to_come_back(world, limit, starts, clock):
    guarded = limit(10, 1.0, "hub", burst=2)(world.function(starts))
    assert [world.call(guarded), world.call(guarded)] == [0, 0]
    refusal = refusal_of(world.call, guarded)
    assert (refusal.service, refusal.policy, refusal.reason) == (
        "hub",
        "rate limit",
        RefusalReason.RATE,
    )
    assert refusal.retry_after == pytest.approx(0.1)
    assert str(refusal) == (
        "hub was not called: too many calls in too short a time; come back in 0.1 s"
    )
    clock.advance(refusal.retry_after)
    assert world.call(guarded) == pytest.approx(0.1)
    assert refusal_of(world.call, guarded).retry_after == pytest.approx(0.1)


def test_a_burst_is_as_much_as_the_rate_unless_said_otherwise(world, limit, starts):
    guarded = limit(3, 60.0)(world.function(starts))
    assert [world.call(guarded) for _ in range(3)] == [0, 0, 0]
    assert refusal_of(world.call, guarded).retry_after == 20


def test_a_rate_of_less_than_one_call_lets_one_through(world, limit, starts):
    guarded = limit(0.25)(world.function(starts))
    world.call(guarded)
    assert refusal_of(world.call, guarded).retry_after == 4


def test_calls_within_max_wait_wait_for_their_turn(world, limit, starts, clock):
    guarded = limit(2, burst=1, max_wait=0.5)(world.function(starts))
    assert [world.call(guarded) for _ in range(4)] == [0, 0.5, 1.0, 1.5]
    assert clock.sleeps == [0.5, 0.5, 0.5]


def test_what_all_guard_with_one_object_is_one_rate(world, limit, starts):
    policy = limit(2)
    one, other = policy(world.function(starts)), policy(world.function(starts))
    world.call(one)
    world.call(other)
    refusal_of(world.call, one)


def test_a_call_that_fails_has_cost_as_much(world, limit, flaky):
    guarded = limit(1)(world.function(flaky(9)))
    with pytest.raises(ConnectionError):
        world.call(guarded)
    refusal_of(world.call, guarded)


def test_tasks_wait_in_the_order_they_came(limit, starts, run):
    async def call():
        return starts()

    async def main():
        guarded = limit(10, burst=1, max_wait=0.35)(call)
        return await asyncio.gather(*(guarded() for _ in range(5)), return_exceptions=True)

    *times, refused = run(main())
    assert times == pytest.approx([0, 0.1, 0.2, 0.3])
    assert isinstance(refused, RateLimitedError)
    assert refused.retry_after == pytest.approx(0.4)


# --- what a call costs ------------------------------------------------------------------------


def test_the_rate_can_be_in_seconds_of_audio(world, limit, starts):
    policy = limit(60, 60.0, burst=30, max_wait=60, cost=lambda audio, *, seconds: seconds)
    guarded = policy(world.function(starts))
    times = [world.call(guarded, "take", seconds=seconds) for seconds in (10, 20, 5, 0.5, 12)]
    assert times == [0, 0, 5, 5.5, 17.5]


def test_a_burst_of_costs_is_as_much_as_the_rate(world, limit, starts):
    guarded = limit(0.5, cost=lambda cost: cost)(world.function(starts))
    world.call(guarded, 0.5)
    refusal_of(world.call, guarded, 0.1)


def test_what_costs_more_than_a_burst_is_refused_for_good(world, limit, retry, starts, events):
    policy = limit(10, name="hub", max_wait=1e6, cost=lambda cost: cost)
    guarded = retry(9, Backoff("fixed", initial=1.0))(policy(world.function(starts)))
    refusal = refusal_of(world.call, guarded, 11)
    assert refusal.retry_after is None
    assert "it costs 11, and never are more than 10 let through at once" in str(refusal)
    assert [event.kind for event in events] == [EventKind.REFUSED, EventKind.GAVE_UP]
    assert events[-1].reason is StopReason.REFUSED  # waiting would not help, so nobody waits


@pytest.mark.parametrize("cost", [lambda _: 1 / 0, lambda _: "dear", lambda _: -1, lambda _: "nan"])
def test_a_broken_cost_function_is_counted_and_the_call_costs_one(world, limit, starts, cost):
    guarded = limit(2, cost=cost)(world.function(starts))
    before = hook_failures().count
    world.call(guarded, "x")
    world.call(guarded, "x")
    assert refusal_of(world.call, guarded, "x").retry_after == 0.5
    assert hook_failures().count >= before + 3


# --- deadlines and interruptions --------------------------------------------------------------


def test_a_wait_that_would_pass_a_deadline_is_refused_at_once(world, limit, starts, clock):
    guarded = limit(1, max_wait=60)(world.function(starts))
    world.call(guarded)
    with deadline(1.0, clock=clock):
        assert refusal_of(world.call, guarded).retry_after == 1.0
    with deadline(1.5, clock=clock):
        assert world.call(guarded) == 1.0
    assert clock.sleeps == [1.0]


def test_a_deadline_that_has_passed_keeps_nobody_from_a_turn_that_is_there(
    world, limit, starts, clock
):
    guarded = limit(1)(world.function(starts))
    with deadline(0.0, clock=clock):
        world.call(guarded)


def test_a_refused_call_takes_no_turn(world, limit, starts):
    guarded = limit(1)(world.function(starts))
    world.call(guarded)
    assert [refusal_of(world.call, guarded).retry_after for _ in range(5)] == [1.0] * 5


def test_a_task_cancelled_while_it_waits_gives_its_turn_back(limit, starts, run):
    async def call():
        return starts()

    async def main():
        guarded = limit(1, burst=1, max_wait=60)(call)
        await guarded()
        tasks = [asyncio.ensure_future(guarded()) for _ in range(9)]
        await asyncio.sleep(0.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return await guarded()

    assert run(main()) == 1.0


def test_an_interrupted_wait_gives_its_turn_back(limit, starts, clock):
    guarded = limit(1, max_wait=60)(starts)
    guarded()
    sleep, clock.sleep = clock.sleep, _interrupted
    with pytest.raises(KeyboardInterrupt):
        guarded()
    clock.sleep = sleep
    assert guarded() == 1.0


def _interrupted(seconds):
    raise KeyboardInterrupt


# --- kinds of functions -----------------------------------------------------------------------


def test_a_generator_takes_its_turn_before_its_first_item(limit, starts):
    @limit(1, max_wait=60)
    def items():
        yield starts()
        yield starts()

    assert [list(items()), list(items())] == [[0, 0], [1.0, 1.0]]


def test_an_async_generator_takes_its_turn_before_its_first_item(limit, starts, run):
    @limit(1, max_wait=60)
    async def items():
        yield starts()

    async def main():
        return [item for _ in range(2) async for item in items()]

    assert run(main()) == [0, 1.0]


def test_a_generator_that_is_dropped_unstarted_has_taken_nothing(limit, starts):
    @limit(1)
    def items():
        yield starts()

    items()
    gc.collect()
    assert list(items()) == [0]


def test_a_function_that_returns_an_awaitable_is_guarded(limit, run):
    async def later(value):
        return value

    def hands_on(value):
        return later(value)

    guarded = limit(1)(hands_on)

    async def main():
        return await guarded("x")

    assert run(main()) == "x"
    with pytest.raises(RateLimitedError):
        run(main())


def test_a_block_takes_a_turn(limit, clock):
    policy = limit(1, max_wait=1.5)
    times = []
    for _ in range(3):
        with policy:
            times.append(clock.monotonic())
    assert times == [0, 1.0, 2.0]


def test_an_async_block_takes_a_turn(limit, clock, run):
    policy = limit(1, max_wait=1.5)

    async def block():
        async with policy:
            return clock.monotonic()

    async def main():
        return await asyncio.gather(block(), block(), block(), return_exceptions=True)

    first, second, refused = run(main())
    assert (first, second) == (0, 1.0)
    assert refused.retry_after == 2.0


def test_the_body_of_a_block_that_is_refused_does_not_run(limit):
    policy = limit(1)
    with policy:
        pass
    with pytest.raises(RateLimitedError, match="rate limit was not called"), policy:
        pytest.fail("the body ran")


def test_an_error_in_a_block_is_the_callers(limit):
    with pytest.raises(ValueError, match="mine"), limit(1):
        raise ValueError("mine")


def test_a_block_has_no_arguments_to_take_the_cost_from(limit):
    with pytest.raises(ConfigurationError) as caught, limit(1, cost=len):
        pytest.fail("the body ran")
    assert caught.value.setting == "cost"


# --- with other policies ----------------------------------------------------------------------


def test_a_retry_comes_back_when_it_is_told_to(world, limit, retry, starts, clock):
    guarded = retry(3, Backoff("fixed", initial=20.0))(limit(1)(world.function(starts)))
    assert [world.call(guarded), world.call(guarded)] == [0, 1.0]
    assert clock.sleeps == [1.0]


def test_a_breaker_around_does_not_count_refusals(world, limit, starts, clock):
    circuit = CircuitBreaker(failure_threshold=1, clock=clock)
    guarded = circuit(limit(1)(world.function(starts)))
    world.call(guarded)
    refusal_of(world.call, guarded)
    assert circuit.state is State.CLOSED


# --- what it tells ----------------------------------------------------------------------------


def test_waits_and_refusals_are_told(world, limit, starts, events, clock):
    guarded = limit(1, 1.0, "hub", max_wait=1.0)(world.function(starts))
    world.call(guarded)
    assert events == []
    world.call(guarded)
    (delayed,) = events
    assert (delayed.kind, delayed.policy, delayed.name) == (EventKind.DELAYED, "rate limit", "hub")
    assert (delayed.wait, delayed.reason, delayed.error) == (1.0, None, None)
    with deadline(0.5, clock=clock):
        refusal_of(world.call, guarded)
    refused = events[-1]
    assert (refused.kind, refused.policy, refused.name) == (EventKind.REFUSED, "rate limit", "hub")
    assert (refused.wait, refused.reason) == (1.0, RefusalReason.RATE)
    assert refused.fault_class is FaultClass.INFRASTRUCTURE


def test_without_a_name_it_goes_by_the_functions(world, limit, flaky, events):
    guarded = limit(1)(world.function(flaky(0)))
    world.call(guarded)
    assert refusal_of(world.call, guarded).service == "flaky"
    assert events[-1].name == "flaky"


def test_nobody_has_to_listen(world, clock, starts):
    guarded = RateLimit(1, max_wait=1.0, clock=clock)(world.function(starts))
    assert [world.call(guarded), world.call(guarded)] == [0, 1.0]


# --- settings ---------------------------------------------------------------------------------


def test_other_settings_hold_from_the_next_call_on(world, limit, starts, clock):
    policy = limit(2, name="hub")
    guarded = policy(world.function(starts))
    world.call(guarded)
    world.call(guarded)
    policy.reconfigure(calls=10, burst=2)
    assert policy == limit(10, name="hub", burst=2)
    assert refusal_of(world.call, guarded).retry_after == pytest.approx(0.1)
    policy.reconfigure(max_wait=1.0)
    assert world.call(guarded) == pytest.approx(0.1)


@pytest.mark.parametrize("settings", [{"calls": 0}, {"calls": 5, "per": -1}, {"clock": None}])
def test_other_settings_that_make_no_sense_change_nothing(limit, settings):
    policy = limit(2)
    with pytest.raises(ConfigurationError):
        policy.reconfigure(**settings)
    assert policy == limit(2)


@pytest.mark.parametrize(
    ("settings", "about"),
    [
        ({"calls": 0}, "calls"),
        ({"calls": -1}, "calls"),
        ({"calls": "many"}, "calls"),
        ({"calls": float("inf")}, "calls"),
        ({"per": 0}, "per"),
        ({"burst": 0}, "burst"),
        ({"burst": 0.5}, "burst"),
        ({"burst": -0.5, "cost": len}, "burst"),
        ({"max_wait": -1}, "max_wait"),
        ({"cost": 3}, "cost"),
    ],
)
def test_settings_that_make_no_sense_are_refused_when_it_is_built(settings, about):
    with pytest.raises(ConfigurationError) as caught:
        RateLimit(**{"calls": 1, **settings})
    assert caught.value.setting == about


def test_a_rate_limit_is_a_value():
    assert RateLimit(5) == RateLimit(5, 1.0)
    assert str(RateLimit(5)) == "RateLimit(5 per second)"
    assert str(RateLimit(5, 60, "hub", burst=2, max_wait=3)) == (
        "RateLimit(hub: 5 per 60 s, 2 at once, waits up to 3 s)"
    )


# --- threads ----------------------------------------------------------------------------------


def test_however_threads_are_interleaved_the_rate_is_kept():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            guarded = RateLimit(1, burst=2, max_wait=2.0, clock=stage.clock)(stage.clock.monotonic)

            def thread():
                try:
                    return guarded()
                except RateLimitedError as refusal:
                    return refusal.retry_after

            assert sorted(stage.run(*[thread] * 5)) == [0, 0, 1.0, 2.0, 3.0]
        return stage

    for schedule in every_preemption(scenario, 5):
        scenario(schedule)
    for schedule in random_schedules(100):
        scenario(schedule)
