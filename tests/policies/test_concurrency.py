from __future__ import annotations

import asyncio

import pytest

from tenuto.errors import (
    BulkheadFullError,
    CallTimeoutError,
    ConcurrencyLimitError,
    ConfigurationError,
    ExternalServiceError,
    FaultClass,
    RefusalReason,
    ResourceLimitError,
    classify,
)
from tenuto.policies import ConcurrencyLimit, EventKind, deadline, hook_failures
from tests.interleaving import every_preemption, interleaved, random_schedules

BOTH = pytest.mark.parametrize("algorithm", ["gradient", "aimd"])


@pytest.fixture
def limit(clock, events):
    def build(*args, **settings):
        return ConcurrencyLimit(*args, clock=clock, on_event=events.append, **settings)

    return build


@pytest.fixture
def run(clock):
    """Run a coroutine on a loop in simulated time."""
    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        yield runner.run


class Service:
    """``workers`` that take ``seconds`` a call; others wait, and more than ``room`` are turned
    away."""

    def __init__(self, workers, seconds=1.0, room=10**6):
        self.seconds, self.room = seconds, room
        self.free = workers
        self.queue = []
        self.done = self.inside = self.most = 0

    async def __call__(self):
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self._worker()
            await asyncio.sleep(self.seconds)
            self.done += 1
        finally:
            self.inside -= 1
        if self.queue:
            self.queue.pop(0).set_result(None)
        else:
            self.free += 1

    async def _worker(self):
        if self.free:
            self.free -= 1
            return
        if len(self.queue) >= self.room:
            raise ResourceLimitError("overloaded")
        place = asyncio.get_running_loop().create_future()
        self.queue.append(place)
        await place


async def saturate(policy, service, seconds, callers=100):
    """So many callers that call again and again; returns the limit at every second."""

    @policy
    async def call():
        await service()

    async def caller():
        while True:
            try:
                await call()
            except (ResourceLimitError, ConcurrencyLimitError):
                await asyncio.sleep(0.1)

    tasks = [asyncio.ensure_future(caller()) for _ in range(callers)]
    limits = []
    for _ in range(seconds):
        await asyncio.sleep(1.0)
        limits.append(policy.limit)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return limits


def mean(numbers):
    return sum(numbers) / len(numbers)


def fail(policy, error):
    """One call that raises ``error``."""

    @policy
    def call():
        raise error

    with pytest.raises(type(error)):
        call()


def refusal_of(call, *args):
    with pytest.raises(ConcurrencyLimitError) as caught:
        call(*args)
    return caught.value


# --- a service --------------------------------------------------------------------------------


@pytest.mark.parametrize("queue", [0, 100])
def test_by_gradient_it_finds_out_how_many_calls_a_service_can_do_with(run, limit, queue):
    service, policy = Service(10, seconds=0.2), limit(queue=queue)
    limits = run(saturate(policy, service, 100, callers=40))
    assert 10 <= mean(limits[-50:]) <= 21
    assert policy.inside == 0
    assert service.done > 0.85 * 100 * 10 / 0.2


def test_by_aimd_it_stays_at_what_a_service_does_not_turn_away(run, limit):
    service, policy = Service(10, seconds=0.2, room=5), limit(algorithm="aimd", queue=100)
    limits = run(saturate(policy, service, 100))
    assert 10 <= mean(limits[-50:]) <= 16
    assert service.done > 0.85 * 100 * 10 / 0.2


def test_never_are_more_inside_than_the_limit_was_at_most(run, limit):
    service, policy = Service(10, seconds=0.2), limit(maximum=30, queue=100)
    run(saturate(policy, service, 30))
    assert service.most <= 30


def test_it_gives_way_to_a_failing_service_and_grows_back_when_that_recovers(run, limit):
    service, policy = Service(10, seconds=0.2), limit(queue=100)

    async def main():
        service.free, service.room = 0, 0  # turns everything away
        down = await saturate(policy, service, 20)
        service.free, service.room = 10, 1000
        return down, await saturate(policy, service, 100)

    down, up = run(main())
    assert down[-1] == 1
    assert up[-1] >= 8


def test_a_limit_of_one_still_lets_calls_through(run, limit):
    policy = limit(1, maximum=1, queue=10)
    service = Service(1, seconds=1.0)
    run(saturate(policy, service, 20, callers=3))
    assert service.done >= 19


# --- what moves it ----------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    "error",
    [
        ResourceLimitError("no memory"),
        MemoryError(),
        TimeoutError(),
        CallTimeoutError("hub", 5.0),
    ],
)
def test_overload_lowers_it(limit, error, algorithm):
    policy = limit(20, algorithm=algorithm)
    fail(policy, error)
    assert policy.limit == 14


@BOTH
@pytest.mark.parametrize(
    "error",
    [
        ValueError("no audio"),
        ExternalServiceError("down"),
        KeyError("bug"),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        BulkheadFullError("gpu"),
        ConcurrencyLimitError("gpu"),
    ],
)
def test_what_fails_otherwise_is_cancelled_or_refused_does_not_move_it(limit, error, algorithm):
    policy = limit(5, algorithm=algorithm)
    for _ in range(20):
        fail(policy, error)
    assert policy.limit == 5
    assert policy._gate.retry_after() is None  # and nothing was measured


def test_an_error_caused_by_a_refusal_does_not_move_it_either(limit):
    policy = limit(20)
    error = ResourceLimitError("no place")
    error.__cause__ = BulkheadFullError("gpu")
    fail(policy, error)
    assert policy.limit == 20


@pytest.mark.parametrize(
    "exceptions", [ExternalServiceError, lambda error: "busy" in str(error)], ids=["type", "rule"]
)
def test_what_tells_of_overload_can_be_said(limit, exceptions):
    policy = limit(20, exceptions=exceptions)
    fail(policy, TimeoutError())
    assert policy.limit == 20
    fail(policy, ExternalServiceError(message="busy"))
    assert policy.limit == 14


def test_a_rule_that_fails_itself_does_not_move_it(limit):
    def broken(error):
        raise RuntimeError("a bug in the rule")

    before = hook_failures().count
    policy = limit(20, exceptions=broken)
    fail(policy, TimeoutError())
    assert policy.limit == 20
    assert hook_failures().count == before + 1


def test_calls_that_wait_in_the_queue_are_not_slow_for_it(run, limit, clock):
    policy = limit(5, minimum=5, maximum=5, queue=100)
    service = Service(100, seconds=1.0)
    run(saturate(policy, service, 20, callers=50))
    assert policy._gate.retry_after() == pytest.approx(1.0 / 5)


def test_a_limit_that_shrinks_takes_no_place_away(limit):
    policy = limit(2, queue=0)
    with policy:
        fail(policy, TimeoutError())
        assert (policy.limit, policy.inside) == (1, 1)
        refusal_of(policy(len), "x")
    assert policy(len)("x") == 1


def test_a_limit_that_grows_lets_those_in_who_wait(run, limit, clock):
    policy = limit(5, algorithm="aimd", queue=100)
    begun = []

    @policy
    async def call(seconds):
        begun.append(clock.monotonic())
        await asyncio.sleep(seconds)

    async def main():
        seconds = [1.0] * 5 + [10.0] * 6
        await asyncio.gather(*map(call, seconds))

    run(main())
    assert begun[5:] == [1.0] * 6


# --- places, queue, refusals --------------------------------------------------------------------


def test_calls_pass_and_their_results_with_them(world, limit, flaky):
    policy = limit()
    guarded = policy(world.function(flaky(0)))
    assert [world.call(guarded, number) for number in range(50)] == list(range(50))
    assert policy.inside == 0


def test_one_too_many_is_refused_and_says_so(limit, events):
    policy = limit(1, maximum=1, name="hub")
    refusal = refusal_of(policy(lambda: policy(len)("x")))
    assert isinstance(refusal, ResourceLimitError)
    assert classify(refusal) is FaultClass.RESOURCE
    assert (refusal.policy, refusal.service) == ("concurrency limit", "hub")
    assert refusal.reason is RefusalReason.QUEUE_FULL
    (event,) = events
    assert (event.kind, event.policy, event.name) == (EventKind.REFUSED, refusal.policy, "hub")
    assert (event.reason, event.limit) == (refusal.reason, 1)


def test_a_refusal_estimates_when_there_will_be_a_place(run, limit):
    policy = limit(5, minimum=5, maximum=5)
    run(saturate(policy, Service(100, seconds=2.0), 10, callers=5))

    async def main():
        hold = [asyncio.ensure_future(policy(asyncio.sleep)(1.0)) for _ in range(5)]
        await asyncio.sleep(0.5)
        refusal = refusal_of(policy(len), "x")
        await asyncio.gather(*hold)
        return refusal.retry_after

    assert run(main()) == pytest.approx(2.0 / 5)  # five places, two seconds each


def test_no_wait_is_longer_than_was_allowed_or_passes_a_deadline(limit, clock):
    policy = limit(1, maximum=1, queue=1, max_wait=3.0)
    outer = policy(lambda: policy(len)("x"))
    assert refusal_of(outer).reason is RefusalReason.QUEUE_TIMEOUT
    assert clock.monotonic() == 3.0
    with deadline(2.0, clock=clock):
        refusal_of(outer)
    assert clock.monotonic() == 5.0


def test_who_is_inside_and_who_waits_can_be_seen(run, limit):
    policy = limit(2, queue=5)

    async def main():
        call = policy(asyncio.sleep)
        calls = [asyncio.ensure_future(call(1.0)) for _ in range(5)]
        await asyncio.sleep(0.5)
        seen = policy.inside, policy.waiting
        await asyncio.gather(*calls)
        return seen

    assert run(main()) == (2, 3)


# --- blocks -----------------------------------------------------------------------------------


def test_a_block_has_a_place_and_teaches_what_it_took(limit, clock):
    policy = limit(5, queue=0)
    for _ in range(5):
        with policy:
            assert policy.inside == 1
            clock.advance(3.0)
    assert policy._gate.retry_after() == pytest.approx(3.0 / policy.limit)


def test_a_block_that_meets_overload_lowers_it(limit):
    policy = limit(20)
    with pytest.raises(TimeoutError), policy:
        raise TimeoutError
    assert (policy.limit, policy.inside) == (14, 0)


def test_a_block_that_gets_no_place_is_not_entered(limit):
    policy = limit(1, maximum=1)
    with policy, pytest.raises(ConcurrencyLimitError), policy:
        raise AssertionError("the body must not run")
    assert policy.inside == 0


def test_async_blocks_wait_for_each_other(run, limit, clock):
    policy = limit(1, maximum=1, queue=5)

    async def block():
        async with policy:
            await asyncio.sleep(1.0)
            return clock.monotonic()

    async def main():
        return await asyncio.gather(block(), block(), block())

    assert run(main()) == [1.0, 2.0, 3.0]


def test_blocks_of_two_limits_may_end_in_any_order(limit, clock):
    one, other = limit(5, name="one"), limit(5, name="other")
    one.__enter__()
    clock.advance(1.0)
    other.__enter__()
    clock.advance(1.0)
    one.__exit__(None, None, None)
    assert (one.inside, other.inside) == (0, 1)
    other.__exit__(None, None, None)
    assert other.inside == 0


def test_a_block_that_another_task_ends_gives_its_place_back(limit):
    policy = limit(5)

    async def items():
        async with policy:
            yield 1

    async def main():
        source = items()
        await asyncio.create_task(anext(source))
        assert policy.inside == 1
        await asyncio.create_task(source.aclose())

    asyncio.run(main())
    assert policy.inside == 0


# --- threads ----------------------------------------------------------------------------------


@BOTH
def test_however_threads_are_interleaved_no_place_is_lost_or_made(algorithm):
    def scenario(schedule):
        with interleaved(schedule) as stage:
            policy = ConcurrencyLimit(
                2, minimum=1, maximum=4, algorithm=algorithm, queue=9, clock=stage.clock
            )
            gate = policy._gate

            @policy
            def call(error=None):
                assert 0 < policy.inside <= 4
                stage.clock.sleep(1.0)
                if error:
                    raise error

            def going_well():
                for _ in range(4):
                    call()

            def overloading():
                call()
                with pytest.raises(TimeoutError):
                    call(TimeoutError())
                call()

            stage.run(going_well, overloading, going_well)
            assert (policy.inside, policy.waiting) == (0, 0)
            assert len(gate.places.free) == policy.limit
        return stage

    for count, schedule in enumerate(every_preemption(scenario, 3)):
        if count % 11 == 0:  # there are thousands
            scenario(schedule)
    for schedule in random_schedules(60, longest_gap=600):
        scenario(schedule)


# --- what is told -------------------------------------------------------------------------------


def test_changes_are_told_but_not_more_than_once_a_second(limit, clock, events):
    policy = limit(100, name="hub")
    fail(policy, TimeoutError())
    assert policy.limit == 70
    (event,) = events
    assert (event.kind, event.policy, event.name, event.limit) == (
        EventKind.LIMIT_CHANGED,
        "concurrency limit",
        "hub",
        70,
    )
    clock.advance(0.5)
    fail(policy, TimeoutError())
    assert (policy.limit, len(events)) == (49, 1)
    clock.advance(0.5)
    fail(policy, TimeoutError())
    assert [event.limit for event in events] == [70, 34]


def test_a_limit_that_stays_where_it_is_is_not_told(limit, events):
    policy = limit(1, maximum=1)
    fail(policy, TimeoutError())
    assert events == []


def test_without_a_name_it_goes_by_the_functions(limit, events):
    fail(limit(20), TimeoutError())
    assert events[0].name.endswith("fail.<locals>.call")


# --- settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting",
    [
        {"initial": 0},
        {"minimum": 0},
        {"maximum": 0},
        {"maximum": 10**7},
        {"algorithm": "vegas"},
        {"queue": -1},
        {"max_wait": -1.0},
        {"tolerance": 0.9},
        {"exceptions": "TimeoutError"},
    ],
)
def test_settings_that_make_no_sense_are_refused(setting):
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        ConcurrencyLimit(**setting)


def test_the_maximum_is_not_below_the_minimum():
    with pytest.raises(ConfigurationError, match="maximum"):
        ConcurrencyLimit(minimum=10, maximum=9)


def test_it_begins_within_its_bounds():
    assert ConcurrencyLimit().limit == 20
    assert ConcurrencyLimit(maximum=10).limit == 10
    assert ConcurrencyLimit(minimum=30).limit == 30


def test_it_says_what_it_is():
    assert str(ConcurrencyLimit()) == "ConcurrencyLimit(1 to 200 at once, by gradient)"
    assert str(ConcurrencyLimit(name="hub", maximum=9, algorithm="aimd", queue=5, max_wait=2)) == (
        "ConcurrencyLimit(hub: 1 to 9 at once, by aimd, 5 more wait for up to 2 s)"
    )


def test_other_settings_hold_at_once_and_the_limit_stays_if_it_may(limit):
    policy = limit(20)
    fail(policy, TimeoutError())
    policy.reconfigure(maximum=100, tolerance=2.0)
    assert policy.limit == 14
    policy.reconfigure(maximum=8)
    assert policy.limit == 8
    policy.reconfigure(minimum=30, maximum=50, exceptions=KeyError)
    assert policy.limit == 30
    fail(policy, TimeoutError())
    assert policy.limit == 30
    fail(policy, KeyError())
    assert policy.limit == 30  # at its minimum


@pytest.mark.parametrize("setting", ["clock", "algorithm"])
def test_settings_that_cannot_be_changed_change_nothing(limit, setting):
    policy = limit(20)
    with pytest.raises(ConfigurationError, match=setting):
        policy.reconfigure(maximum=5, **{setting: getattr(policy, setting)})
    assert policy.limit == 20
