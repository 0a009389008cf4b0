"""Circuits that mind how long calls take, also those that have not ended."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from datetime import timedelta

import pytest

from tenuto.errors import CircuitOpenError, ConfigurationError
from tenuto.policies import CircuitBreaker, EventKind, Retry, State, hook_failures, stack
from tenuto.policies.budget import RetryBudget

SETTINGS = {"slow_after": 2.0, "slow_rate": 0.5, "minimum_calls": 4, "window": 8}


@pytest.fixture(params=["calls", "seconds"])
def breaker(request, clock, events):
    def build(**settings):
        settings = {**SETTINGS, "failure_threshold": None, **settings}
        if request.param == "seconds":
            settings["window"] = timedelta(seconds=1000)
        return CircuitBreaker("hub", clock=clock, on_event=events.append, **settings)

    return build


@pytest.fixture
def taking(clock, world):
    """A function whose calls take as many seconds as they are told to."""

    def work(seconds, error=None):
        clock.advance(seconds)
        if error is not None:
            raise error
        return seconds

    return world.function(work)


def test_calls_that_are_too_slow_open_it_although_they_succeed(world, breaker, taking, events):
    policy = breaker()
    guarded = policy(taking)
    for seconds in (1, 1, 3):
        assert world.call(guarded, seconds) == seconds
    assert policy.state is State.CLOSED
    assert world.call(guarded, 3) == 3
    assert policy.state is State.OPEN
    assert [event.kind for event in events] == [EventKind.TRIPPED]
    with pytest.raises(CircuitOpenError, match="too slow"):
        world.call(guarded, 1)


def test_calls_that_are_fast_enough_never_do(world, breaker, taking):
    policy = breaker()
    guarded = policy(taking)
    for _ in range(50):
        world.call(guarded, 2)
    assert policy.state is State.CLOSED


def test_a_call_that_fails_slowly_is_slow_as_well(world, breaker, taking):
    policy = breaker()
    guarded = policy(taking)
    for _ in range(4):
        with pytest.raises(ValueError, match="odd"):  # not a failure of the dependency
            world.call(guarded, 3, ValueError("odd"))
    assert policy.state is State.OPEN


def test_a_slow_failure_counts_among_the_failures_too(world, breaker, taking):
    policy = breaker(failure_threshold=2)
    guarded = policy(taking)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            world.call(guarded, 3, ConnectionError("down"))
    assert policy.state is State.OPEN


def test_a_slow_success_ends_a_row_of_failures(world, breaker, taking):
    policy = breaker(failure_threshold=2, minimum_calls=8)
    guarded = policy(taking)
    for seconds, error in [(1, ConnectionError("down")), (3, None), (1, ConnectionError("down"))]:
        with contextlib.suppress(ConnectionError):
            world.call(guarded, seconds, error)
    assert policy.state is State.CLOSED


def test_an_interrupted_call_is_no_failure(world, breaker, taking):
    policy = breaker(failure_threshold=1)
    guarded = policy(taking)
    for _ in range(8):
        with pytest.raises(KeyboardInterrupt):
            world.call(guarded, 1, KeyboardInterrupt())
    assert policy.state is State.CLOSED
    assert policy.circuit.flights.calls == {}


def test_a_call_that_is_interrupted_when_it_is_late_was_late(world, breaker, taking):
    """Whether another call came by in time to see it must make no difference."""
    policy = breaker()
    guarded = policy(taking)
    for _ in range(4):
        assert policy.state is State.CLOSED
        with pytest.raises(KeyboardInterrupt):
            world.call(guarded, 9, KeyboardInterrupt())
    assert policy.state is State.OPEN


def test_a_probe_that_is_interrupted_when_it_is_late_has_failed(world, breaker, taking, clock):
    policy = breaker()
    guarded = policy(taking)
    for _ in range(4):
        world.call(guarded, 3)
    clock.advance(60.0)
    with pytest.raises(KeyboardInterrupt):
        world.call(guarded, 3, KeyboardInterrupt())
    assert policy.state is State.OPEN


def test_how_long_a_call_may_take_can_depend_on_its_size(world, breaker, taking, clock):
    policy = breaker(slow_after=lambda call: 0.5 * call.args[0] + call.kwargs.get("more", 0))
    lenient = world.function(lambda size, took, **_: clock.advance(took))
    guarded = policy(lenient)
    for _ in range(20):
        world.call(guarded, 3600, 1700)
        world.call(guarded, 2, 2, more=1)
    assert policy.state is State.CLOSED
    for _ in range(20):
        if policy.state is State.CLOSED:
            world.call(guarded, 10, 6)
    assert policy.state is State.OPEN


def test_a_rule_for_the_size_with_a_bug_makes_no_call_slow(world, breaker, taking):
    before = hook_failures().count
    policy = breaker(slow_after=lambda call: 1 / 0)
    guarded = policy(taking)
    for _ in range(10):
        world.call(guarded, 100)
    assert policy.state is State.CLOSED
    assert hook_failures().count == before + 10


def test_calls_that_never_end_open_it_while_they_are_under_way(breaker, clock, events):
    policy = breaker(minimum_calls=4)
    leave, entered = threading.Event(), threading.Barrier(5, timeout=10)

    @policy
    def hang():
        entered.wait()
        assert leave.wait(10)

    @policy
    def quick():
        return "quick"

    threads = [threading.Thread(target=hang) for _ in range(4)]
    for thread in threads:
        thread.start()
    entered.wait()
    assert quick() == "quick"
    clock.advance(3.0)
    with pytest.raises(CircuitOpenError, match="slow"):
        quick()
    leave.set()
    for thread in threads:
        thread.join()
    assert policy.state is State.OPEN  # what ends late changes nothing
    assert [event.kind for event in events] == [EventKind.TRIPPED, EventKind.REFUSED]


def test_a_call_that_was_counted_under_way_is_not_counted_again(breaker, clock):
    policy = breaker(minimum_calls=4)

    async def main():
        release = asyncio.Event()

        @policy
        async def hang():
            await release.wait()

        @policy
        async def quick():
            pass

        hanging = asyncio.ensure_future(hang())
        await asyncio.sleep(0)
        clock.advance(3.0)
        await quick()  # sees that one is late
        release.set()
        await hanging
        await quick()
        assert policy.state is State.CLOSED  # one of three was slow; were it two, of four
        await quick()

    asyncio.run(main())
    assert policy.state is State.CLOSED


def test_a_failure_of_a_call_that_was_counted_under_way_still_counts(breaker, clock):
    policy = breaker(failure_threshold=1)
    with contextlib.suppress(ConnectionError), policy:
        clock.advance(3.0)
        assert policy.state is State.CLOSED  # whoever asks looks
        raise ConnectionError("down")
    assert policy.state is State.OPEN


def test_a_probe_that_is_slow_has_failed(world, breaker, taking, clock):
    policy = breaker()
    guarded = policy(taking)
    for _ in range(4):
        world.call(guarded, 3)
    clock.advance(60.0)
    assert world.call(guarded, 3) == 3
    assert policy.state is State.OPEN
    clock.advance(120.0)
    assert world.call(guarded, 1) == 1
    assert policy.state is State.CLOSED


def test_a_probe_that_never_ends_does_not_keep_the_circuit_half_open(breaker, clock):
    policy = breaker(failure_threshold=1)
    with pytest.raises(ConnectionError), policy:
        raise ConnectionError("down")
    clock.advance(60.0)
    with policy:  # the probe
        assert policy.state is State.HALF_OPEN
        clock.advance(3.0)
        assert policy.state is State.OPEN
    assert policy.state is State.OPEN


def test_it_works_inside_a_retry(world, breaker, taking, clock):
    policy = breaker()
    guarded = stack(Retry(1, "fixed", clock=clock), policy)(taking)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            world.call(guarded, 3, ConnectionError("down"))
    assert policy.state is State.OPEN


def test_calls_that_go_well_earn_what_retries_cost(world, breaker, taking, clock):
    budget = RetryBudget(10, cost=5, refund=1)
    guarded = stack(Retry(1, "fixed", clock=clock, budget=budget), breaker())(taking)
    with pytest.raises(ConnectionError):
        world.call(guarded, 1, ConnectionError("down"))
    before = budget.tokens
    world.call(guarded, 1)
    assert budget.tokens == before + 1


def test_how_long_a_generator_takes_is_up_to_its_consumer(breaker, clock):
    policy = breaker(minimum_calls=1, slow_rate=0.1)

    @policy
    def items():
        yield 1
        yield 2

    @policy
    async def items_later():
        yield 1
        yield 2

    async def consume():
        async for _ in items_later():
            clock.advance(3.0)

    for _ in items():
        clock.advance(3.0)
    asyncio.run(consume())
    assert policy.state is State.CLOSED


def test_a_block_has_no_arguments_to_be_timed_by(breaker, clock):
    before = hook_failures().count
    policy = breaker(minimum_calls=1, slow_rate=0.1, slow_after=lambda call: call.args[0])
    with policy:
        clock.advance(1000.0)
    assert policy.state is State.CLOSED
    assert hook_failures().count == before


@pytest.mark.parametrize("nonsense", [-1.0, float("nan"), None, "soon"])
def test_a_rule_for_the_size_that_makes_no_sense_makes_no_call_slow(
    world, breaker, taking, nonsense
):
    before = hook_failures().count
    policy = breaker(slow_after=lambda call: nonsense)
    guarded = policy(taking)
    for _ in range(4):
        world.call(guarded, 100)
    assert policy.state is State.CLOSED
    assert hook_failures().count == before + 4


def test_a_function_that_returns_awaitables_is_timed_until_they_end(breaker, clock):
    policy = breaker(minimum_calls=1, slow_rate=0.1)

    async def later():
        clock.advance(3.0)
        return "x"

    guarded = policy(lambda: later())  # noqa: PLW0108 - a plain function
    assert asyncio.run(_await(guarded())) == "x"
    assert policy.state is State.OPEN


def test_an_awaitable_thrown_away_is_a_call_under_way_no_more(breaker):
    class Promise:
        def __await__(self):
            yield

    policy = breaker()
    policy(Promise)()
    assert policy.circuit.flights.calls == {}


@pytest.mark.parametrize(
    "settings", [{"slow_after": -1}, {"slow_after": "soon"}, {"slow_rate": 2}, {"key": 3}]
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        CircuitBreaker(**settings)


def test_it_says_what_it_minds():
    assert "50% slower than 2 s" in str(CircuitBreaker(slow_after=2.0))
    assert "50% slower, open" in str(CircuitBreaker(slow_after=lambda call: 1.0))


async def _await(awaitable):
    return await awaitable
