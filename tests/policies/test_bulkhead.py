from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from tenuto.clock import SYSTEM_CLOCK
from tenuto.errors import (
    BulkheadFullError,
    ConfigurationError,
    FaultClass,
    RefusalReason,
    ResourceLimitError,
    classify,
)
from tenuto.policies import (
    Backoff,
    Bulkhead,
    CircuitBreaker,
    EventKind,
    Retry,
    State,
    deadline,
)
from tests.interleaving import explore, interleaved

FULL, TOO_LONG = RefusalReason.QUEUE_FULL, RefusalReason.QUEUE_TIMEOUT


@pytest.fixture
def bulkhead(clock, events):
    def build(*args, **settings):
        return Bulkhead(*args, clock=clock, on_event=events.append, **settings)

    return build


@pytest.fixture
def run(clock):
    """Run a coroutine on a loop in simulated time."""
    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        yield runner.run


class Dependency:
    """Answers after some time, and knows who called, when, and how many were in it at once."""

    def __init__(self, clock, seconds=1.0):
        self.clock, self.seconds = clock, seconds
        self.inside = self.most = 0
        self.calls = []

    async def __call__(self, caller=None):
        self.calls.append((caller, self.clock.monotonic()))
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.inside -= 1
        return caller

    @property
    def callers(self):
        return [caller for caller, _ in self.calls]


@pytest.fixture
def dependency(clock):
    return Dependency(clock)


def guard(policy, dependency):
    @policy
    async def call(caller=None):
        return await dependency(caller)

    return call


async def all_of(guarded, callers):
    """How the calls of all ``callers`` end that come one after the other, at the same time."""
    tasks = [asyncio.ensure_future(guarded(caller)) for caller in callers]
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    return [getattr(end, "reason", end) for end in ends]


def refusal_of(call, *args):
    with pytest.raises(BulkheadFullError) as caught:
        call(*args)
    return caught.value


# --- places -----------------------------------------------------------------------------------


def test_one_after_the_other_all_calls_pass(world, bulkhead, flaky, events):
    guarded = bulkhead(1)(world.function(flaky(0)))
    assert [world.call(guarded, number) for number in range(5)] == list(range(5))
    assert events == []


def test_at_most_so_many_are_inside_at_once(run, bulkhead, dependency):
    guarded = guard(bulkhead(3, queue=20), dependency)
    assert run(all_of(guarded, range(10))) == list(range(10))
    assert dependency.most == 3
    assert [at for _, at in dependency.calls] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]


def test_without_a_queue_others_are_refused_at_once(run, bulkhead, dependency, clock):
    guarded = guard(bulkhead(2), dependency)
    assert run(all_of(guarded, "abcd")) == ["a", "b", FULL, FULL]
    assert clock.monotonic() == 1.0


def test_a_full_queue_refuses(run, bulkhead, dependency):
    assert run(all_of(guard(bulkhead(1, 2), dependency), "abcd")) == ["a", "b", "c", FULL]


@pytest.mark.parametrize("error", [ValueError, ConnectionError, KeyboardInterrupt])
def test_a_place_is_given_back_however_a_call_ends(world, bulkhead, error):
    def fail():
        raise error

    policy = bulkhead(1)
    for _ in range(3):
        with pytest.raises(error):
            world.call(policy(world.function(fail)))
    assert policy.inside == 0


def test_all_that_one_object_guards_shares_its_places(bulkhead):
    policy = bulkhead(1, name="gpu")
    inner = policy(lambda: "inner")
    assert refusal_of(policy(inner)).reason is FULL
    assert inner() == "inner"


def test_who_is_inside_and_who_waits_can_be_seen(run, bulkhead, dependency):
    policy = bulkhead(2, 5)

    async def main():
        calls = asyncio.ensure_future(all_of(guard(policy, dependency), "abcde"))
        await asyncio.sleep(0.5)
        seen = policy.inside, policy.waiting
        await calls
        return seen

    assert run(main()) == (2, 3)
    assert (policy.inside, policy.waiting) == (0, 0)


# --- the queue --------------------------------------------------------------------------------


def test_first_come_first_served(run, bulkhead, dependency):
    run(all_of(guard(bulkhead(1, 9), dependency), "abcdefg"))
    assert dependency.callers == list("abcdefg")


def test_who_comes_when_a_place_becomes_free_does_not_get_in_before_those_who_wait(
    run, bulkhead, dependency
):
    guarded = guard(bulkhead(1, 9), dependency)

    async def main():
        first = asyncio.ensure_future(all_of(guarded, "abc"))
        await asyncio.sleep(1.0)  # the place of a is b's now, who has not noticed yet
        await asyncio.gather(first, guarded("late"))

    run(main())
    assert dependency.callers == ["a", "b", "c", "late"]


def test_nobody_waits_longer_than_was_allowed(run, bulkhead, dependency, clock):
    dependency.seconds = 10.0
    guarded = guard(bulkhead(1, 9, max_wait=3.0), dependency)

    async def main():
        ends = await asyncio.gather(
            guarded("a"), timed(guarded("b")), timed(guarded("c")), return_exceptions=True
        )
        return ends[1:]

    async def timed(pending):
        with pytest.raises(BulkheadFullError) as caught:
            await pending
        return caught.value.reason, clock.monotonic()

    assert run(main()) == [(TOO_LONG, 3.0)] * 2
    assert dependency.callers == ["a"]


def test_a_plain_call_waits_in_its_thread_and_gives_up_in_time(bulkhead, clock):
    policy = bulkhead(1, 1, max_wait=3.0)
    inner = policy(lambda: "inner")
    assert refusal_of(policy(inner)).reason is TOO_LONG
    assert clock.monotonic() == 3.0
    assert inner() == "inner"


def test_no_wait_passes_an_outer_deadline(bulkhead, clock):
    policy = bulkhead(1, 1, max_wait=30.0)
    inner = policy(lambda: "inner")
    with deadline(2.0, clock=clock):
        assert refusal_of(policy(inner)).reason is TOO_LONG
        assert clock.monotonic() == 2.0
        assert refusal_of(policy(inner)).reason is TOO_LONG  # at once
        assert clock.monotonic() == 2.0
        assert inner() == "inner"  # a free place costs no time


def test_a_deadline_that_never_comes_is_no_wait_that_the_system_cannot_make(bulkhead, clock):
    policy = bulkhead(1, 1)
    inner = policy(lambda: "inner")
    with deadline(float("inf"), clock=clock):
        refusal_of(policy(inner))
    assert clock.monotonic() < threading.TIMEOUT_MAX


def test_who_gave_up_is_out_of_the_queue(run, bulkhead, dependency):
    dependency.seconds = 10.0
    policy = bulkhead(1, 1, max_wait=3.0)
    guarded = guard(policy, dependency)

    async def main():
        first = asyncio.ensure_future(guarded("a"))
        await asyncio.sleep(0)
        assert await all_of(guarded, "b") == [TOO_LONG]
        assert policy.waiting == 0
        await asyncio.sleep(6.0)
        await asyncio.gather(first, guarded("c"))

    run(main())
    assert dependency.callers == ["a", "c"]


# --- cancellation -----------------------------------------------------------------------------


def test_a_cancelled_call_leaves_the_queue(run, bulkhead, dependency, events):
    policy = bulkhead(1, 2)
    guarded = guard(policy, dependency)

    async def main():
        tasks = [asyncio.ensure_future(guarded(caller)) for caller in "abc"]
        await asyncio.sleep(0.5)
        tasks[1].cancel()
        await asyncio.sleep(0)
        assert policy.waiting == 1
        return await asyncio.gather(*tasks, return_exceptions=True)

    ends = run(main())
    assert isinstance(ends[1], asyncio.CancelledError)
    assert dependency.callers == ["a", "c"]
    assert events == []


def test_a_place_granted_to_a_call_that_is_cancelled_just_then_is_handed_on(
    run, bulkhead, dependency
):
    policy = bulkhead(1, 2)
    guarded = guard(policy, dependency)

    async def main():
        tasks = [asyncio.ensure_future(guarded(caller)) for caller in "abc"]
        await tasks[0]
        assert policy.waiting == 1  # b has the place, and does not know it yet
        tasks[1].cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        return [type(end) for end in ends]

    assert run(main()) == [str, asyncio.CancelledError, str]
    assert dependency.callers == ["a", "c"]


def test_a_cancelled_call_frees_its_place(run, bulkhead, dependency):
    guarded = guard(bulkhead(1, 1), dependency)

    async def main():
        tasks = [asyncio.ensure_future(guarded(caller)) for caller in "ab"]
        await asyncio.sleep(0.5)
        tasks[0].cancel()
        return await tasks[1]

    assert run(main()) == "b"
    assert dependency.calls[1][1] == 0.5


def test_an_interrupt_during_the_wait_leaves_the_queue(bulkhead, clock):
    policy = bulkhead(1, 1)
    inner = policy(lambda: "inner")

    def interrupted(event, seconds):
        raise KeyboardInterrupt

    clock.wait = interrupted
    with pytest.raises(KeyboardInterrupt):
        policy(inner)()
    assert (policy.inside, policy.waiting) == (0, 0)


def test_a_hand_over_that_an_interrupt_cut_short_is_made_up_for_by_the_next_call(
    run, bulkhead, dependency
):
    policy = bulkhead(1, 1)
    guarded = guard(policy, dependency)

    async def main():
        policy.__enter__()
        waiting = asyncio.ensure_future(guarded("a"))
        await asyncio.sleep(0)
        policy._gate.places.free.append(True)  # and no more of ``__exit__``
        await asyncio.gather(waiting, guarded("b"))

    run(main())
    assert dependency.callers == ["a", "b"]


def test_a_call_that_is_dropped_while_it_waits_or_runs_gives_its_place_back(bulkhead, clock):
    policy = bulkhead(1, 1)

    @policy
    async def forever():
        await asyncio.Event().wait()

    async def main():
        inside, waiting = forever(), forever()
        inside.send(None)
        waiting.send(None)
        assert (policy.inside, policy.waiting) == (1, 1)
        waiting.close()
        assert (policy.inside, policy.waiting) == (1, 0)
        inside.close()

    asyncio.run(main())
    assert policy.inside == 0


def test_a_generator_that_the_collector_finds_gives_its_place_back(bulkhead):
    policy = bulkhead(1)

    @policy
    def items():
        yield from range(9)

    source = items()
    next(source)
    cycle = [source]
    cycle.append(cycle)
    del source, cycle
    gc.collect()
    assert policy.inside == 0


# --- other kinds of functions, and blocks -------------------------------------------------------


def test_a_generator_has_its_place_until_it_ends(bulkhead):
    policy = bulkhead(1)

    @policy
    def items():
        yield 1
        yield 2

    source = items()
    assert policy.inside == 0
    assert next(source) == 1
    refusal_of(list, items())
    assert list(source) == [2]
    assert list(items()) == [1, 2]


def test_an_async_generator_waits_for_its_place(run, bulkhead):
    policy = bulkhead(1, 1)

    @policy
    async def items():
        yield 1
        await asyncio.sleep(1.0)
        yield 2

    async def collect():
        return [item async for item in items()]

    async def main():
        return await asyncio.gather(collect(), collect())

    assert run(main()) == [[1, 2], [1, 2]]
    assert policy.inside == 0


def test_a_function_that_returns_an_awaitable_has_its_place_until_that_is_done(run, bulkhead):
    policy = bulkhead(1)

    @policy
    def later():
        return asyncio.sleep(1.0, "done")

    async def main():
        pending = later()
        assert policy.inside == 1
        with pytest.raises(BulkheadFullError):
            await later()
        return await pending

    assert run(main()) == "done"
    assert policy.inside == 0


def test_a_method_is_guarded_for_all_its_objects_together(bulkhead):
    class Engine:
        @bulkhead(1)
        def enhance(self, other=None):
            return other.enhance() if other else "enhanced"

    refusal_of(Engine().enhance, Engine())
    assert Engine().enhance() == "enhanced"


def test_a_block_has_a_place(bulkhead):
    policy = bulkhead(1, name="gpu")
    with policy:
        assert policy.inside == 1
        with pytest.raises(BulkheadFullError, match="gpu"), policy:
            raise AssertionError("the body must not run")
    assert policy.inside == 0


def test_a_block_without_a_name_goes_by_the_kind_of_policy(bulkhead):
    policy = bulkhead(1)
    with policy, pytest.raises(BulkheadFullError) as caught, policy:
        pass
    assert caught.value.service == "bulkhead"


def test_a_block_gives_its_place_back_when_it_fails(bulkhead):
    policy = bulkhead(1)
    with pytest.raises(ValueError), policy:
        raise ValueError
    assert policy.inside == 0


def test_async_blocks_wait_for_each_other(run, bulkhead, clock):
    policy = bulkhead(1, 5)

    async def block():
        async with policy:
            await asyncio.sleep(1.0)
            return clock.monotonic()

    async def main():
        return await asyncio.gather(block(), block(), block())

    assert run(main()) == [1.0, 2.0, 3.0]


def test_an_async_block_that_is_cancelled_while_it_waits_is_never_entered(run, bulkhead):
    policy = bulkhead(1, 1)

    async def block(seconds):
        async with policy:
            await asyncio.sleep(seconds)

    async def main():
        first, second = (asyncio.ensure_future(block(2.0)) for _ in range(2))
        await asyncio.sleep(1.0)
        second.cancel()
        await first
        assert second.cancelled()

    run(main())
    assert (policy.inside, policy.waiting) == (0, 0)


# --- threads ----------------------------------------------------------------------------------


def test_threads_and_tasks_wait_in_one_queue_and_wake_each_other():
    policy = Bulkhead(1, 9, name="gpu", clock=SYSTEM_CLOCK)
    order, hold, threads = [], threading.Event(), []

    @policy
    def plain(caller):
        order.append(caller)
        hold.wait(10)

    @policy
    async def later(caller):
        order.append(caller)

    def start(target, *args):
        before = policy.inside + policy.waiting
        threads.append(threading.Thread(target=target, args=args))
        threads[-1].start()
        while policy.inside + policy.waiting == before:
            threads[-1].join(0.001)

    start(plain, "thread 1")
    start(lambda: asyncio.run(later("task 1")))
    start(plain, "thread 2")
    start(lambda: asyncio.run(later("task 2")))
    hold.set()
    for thread in threads:
        thread.join(10)
    assert order == ["thread 1", "task 1", "thread 2", "task 2"]
    assert (policy.inside, policy.waiting) == (0, 0)


class Counted:
    """Something threads of a stage call; knows how many were in it at most."""

    def __init__(self, stage, seconds):
        self.stage, self.seconds = stage, seconds
        self.inside = self.most = self.calls = 0

    def __call__(self):
        self.calls += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.stage.clock.sleep(self.seconds)
        self.inside -= 1


def refused(guarded):
    """``guarded`` as a thread, which returns why it was refused."""

    def thread():
        try:
            guarded()
        except BulkheadFullError as refusal:
            return refusal.reason

    return thread


@pytest.mark.parametrize("limit", [1, 2])
def test_however_threads_are_interleaved_all_get_in_and_never_too_many_at_once(limit):
    def scenario(schedule):
        with interleaved(schedule) as stage:
            policy = Bulkhead(limit, 9, clock=stage.clock)
            counted = Counted(stage, 1.0)
            guarded = policy(counted)
            assert stage.run(*[refused(guarded)] * 3) == [None] * 3
            assert (counted.calls, counted.most) == (3, limit)
            assert (policy.inside, policy.waiting) == (0, 0)
        return stage

    explore(scenario, examples=100)


def test_however_threads_are_interleaved_no_place_is_lost_to_one_that_stops_waiting():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            policy = Bulkhead(1, 9, max_wait=1.0, clock=stage.clock)  # just as long as a call takes
            counted = Counted(stage, 1.0)
            guarded = policy(counted)
            reasons = stage.run(*[refused(guarded)] * 3)
            assert reasons.count(TOO_LONG) == 3 - counted.calls
            assert counted.most == 1
            assert (policy.inside, policy.waiting) == (0, 0)
            assert policy.limit == len(policy._gate.places.free)
        return stage

    explore(scenario, examples=100)


def test_however_threads_are_interleaved_a_queue_takes_no_more_than_it_should():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            policy = Bulkhead(1, 1, clock=stage.clock)
            counted = Counted(stage, 1.0)
            reasons = stage.run(*[refused(policy(counted))] * 3)
            assert reasons.count(FULL) <= 1
            assert counted.calls == reasons.count(None)
            assert (policy.inside, policy.waiting) == (0, 0)
        return stage

    explore(scenario, examples=100)


def test_however_threads_are_interleaved_nobody_gets_in_before_those_who_wait():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            policy = Bulkhead(1, 9, clock=stage.clock)
            order = []

            @policy
            def call(caller):
                order.append(caller)
                stage.clock.sleep(1.0)

            def at(moment, caller):
                stage.clock.sleep(moment)
                call(caller)

            # The last comes just when the first ends.
            stage.run(lambda: at(0.0, "a"), lambda: at(0.5, "b"), lambda: at(1.0, "c"))
            assert order == ["a", "b", "c"]
        return stage

    explore(scenario, examples=100)


def test_however_threads_are_interleaved_who_begins_to_wait_when_a_place_becomes_free_gets_it():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            guarded = Bulkhead(1, 9, clock=stage.clock)(stage.clock.sleep)

            def later():
                stage.clock.sleep(1.0)
                guarded(1.0)

            stage.run(lambda: guarded(1.0), later)
            assert 2.0 <= stage.clock.monotonic() <= 3.0
        return stage

    explore(scenario, threads=2, examples=100)


def test_however_threads_are_interleaved_a_limit_may_change_under_way():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            policy = Bulkhead(2, 9, clock=stage.clock)
            guarded = policy(Counted(stage, 1.0))

            def changing():
                policy.reconfigure(limit=1)
                stage.clock.sleep(0.5)
                policy.reconfigure(limit=3)

            stage.run(guarded, changing, guarded)
            assert (policy.inside, policy.waiting) == (0, 0)
            assert len(policy._gate.places.free) == 3
        return stage

    explore(scenario, examples=100)


# --- refusals, and what is told -----------------------------------------------------------------


def test_a_refusal_says_who_refused_and_why(bulkhead):
    policy = bulkhead(1, name="gpu")
    refusal = refusal_of(policy(lambda: policy(len)("x")))
    assert isinstance(refusal, ResourceLimitError)
    assert classify(refusal) is FaultClass.RESOURCE
    assert (refusal.policy, refusal.service, refusal.retry_after) == ("bulkhead", "gpu", None)
    assert str(refusal) == "gpu was not called: all places are taken, and so is the queue"


def test_without_a_name_it_goes_by_the_functions(bulkhead, events):
    policy = bulkhead(1)
    refusal = refusal_of(policy(lambda: policy(len)("x")))
    assert refusal.service == events[0].name == "len"


def test_every_refusal_is_told(bulkhead, events):
    policy = bulkhead(1, 1, 2.0, name="gpu")
    seen = []
    policy.reconfigure(on_event=lambda event: seen.append((event, event.error)))
    refusal = refusal_of(policy(lambda: policy(len)("x")))
    ((event, error),) = seen
    assert error is refusal
    assert (event.kind, event.policy, event.name) == (EventKind.REFUSED, "bulkhead", "gpu")
    assert (event.reason, event.fault_class) == (TOO_LONG, FaultClass.RESOURCE)
    assert (event.limit, event.wait) == (1, None)


def test_without_a_listener_nothing_is_told(clock):
    policy = Bulkhead(1, clock=clock)
    refusal_of(policy(lambda: policy(len)("x")))


def test_a_refusal_is_no_failure_to_a_breaker_and_no_reason_to_retry(bulkhead, clock):
    breaker = CircuitBreaker("hub", 1, clock=clock)
    retry = Retry(3, Backoff("fixed", initial=1.0), clock=clock)
    policy = bulkhead(1)
    inner = retry(breaker(policy(lambda: "inner")))
    refusal_of(policy(inner))
    assert breaker.state is State.CLOSED
    assert clock.sleeps == []


def test_a_refused_call_leaves_nothing_behind(bulkhead):
    policy = bulkhead(1)

    class Argument:
        pass

    def refuse():
        argument = Argument()
        try:
            policy(lambda: policy(id)(argument))()
        except BulkheadFullError:
            return weakref.ref(argument)

    gc.disable()
    try:
        assert refuse()() is None
    finally:
        gc.enable()


# --- settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting",
    [
        {"limit": 0},
        {"limit": 1.5},
        {"limit": 10**7},
        {"queue": -1},
        {"queue": None},
        {"max_wait": -1},
        {"max_wait": float("inf")},
    ],
)
def test_settings_that_make_no_sense_are_refused(setting):
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        Bulkhead(**setting)


def test_it_says_what_it_is():
    assert str(Bulkhead()) == "Bulkhead(8 at once)"
    assert str(Bulkhead(2, 5)) == "Bulkhead(2 at once, 5 more wait)"
    assert (
        str(Bulkhead(2, 5, 1.5, "gpu")) == "Bulkhead(gpu: 2 at once, 5 more wait for up to 1.5 s)"
    )


def test_bulkheads_of_the_same_settings_are_equal_and_share_nothing():
    one, other = Bulkhead(1), Bulkhead(1)
    assert one == other
    with one:
        assert other.inside == 0


def test_more_places_let_those_in_who_wait(run, bulkhead, dependency):
    policy = bulkhead(1, 9)

    async def main():
        calls = asyncio.ensure_future(all_of(guard(policy, dependency), "abcd"))
        await asyncio.sleep(0.5)
        policy.reconfigure(limit=3, queue=0)
        assert await all_of(guard(policy, dependency), "e") == [FULL]
        await calls

    run(main())
    assert [at for _, at in dependency.calls] == [0, 0.5, 0.5, 1.0]
    assert policy.limit == 3


def test_fewer_places_take_none_away_from_those_inside(run, bulkhead, dependency):
    policy = bulkhead(3, 9)

    async def main():
        calls = asyncio.ensure_future(all_of(guard(policy, dependency), "abcde"))
        await asyncio.sleep(0.5)
        policy.reconfigure(limit=1)
        assert policy.inside == 3
        await calls

    run(main())
    assert [at for _, at in dependency.calls] == [0, 0, 0, 1.0, 2.0]


def test_settings_that_cannot_be_changed_change_nothing(bulkhead, clock):
    policy = bulkhead(2)
    with pytest.raises(ConfigurationError):
        policy.reconfigure(limit=0)
    with pytest.raises(ConfigurationError, match="clock"):
        policy.reconfigure(limit=1, clock=clock)
    assert policy.limit == 2
