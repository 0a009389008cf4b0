"""Functions that are neither plain nor declared async: awaitables, generators, both."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
from datetime import timedelta

import pytest

from tenuto.errors import CircuitOpenError, ConfigurationError
from tenuto.policies import (
    Backoff,
    CircuitBreaker,
    Fallback,
    Retry,
    State,
    deadline,
    stack,
    time_left,
)

NO_WAIT = Backoff("fixed", initial=0.0)


def handing_out_coroutines(function):
    """A plain ``def`` that hands back a coroutine, as clients and partials do."""

    def call(*args, **kwargs):
        async def run():
            return function(*args, **kwargs)

        return run()

    return call


def taking_turns(*functions):
    """A plain function that is one of ``functions`` after the other."""
    left = iter(functions)

    def call(value):
        return next(left)(value)

    return call


# --- functions that return awaitables ---------------------------------------------------------


async def test_a_plain_function_that_returns_a_coroutine_is_repeated(clock, flaky):
    dependency = flaky(2)
    guarded = Retry(clock=clock)(handing_out_coroutines(dependency))
    assert await guarded("x") == "x"
    assert dependency.calls == 3
    assert len(clock.sleeps) == 2


async def test_a_future_is_as_good_as_a_coroutine(clock, flaky):
    dependency = flaky(1)

    def call(value):
        return asyncio.get_running_loop().run_in_executor(None, dependency, value)

    assert await Retry(clock=clock)(call)("x") == "x"


@pytest.mark.parametrize("rate", [None, 0.5])
@pytest.mark.parametrize("window", [100, "seconds"])
async def test_a_plain_function_that_returns_a_coroutine_trips_the_circuit(
    clock, flaky, rate, window
):
    span = timedelta(seconds=60) if window == "seconds" else window
    policy = CircuitBreaker(clock=clock, failure_rate=rate, window=span)
    dependency = flaky(5)
    guarded = policy(handing_out_coroutines(dependency))
    for _ in range(5):
        with pytest.raises(ConnectionError):
            await guarded("x")
    with pytest.raises(CircuitOpenError):
        await guarded("x")
    clock.advance(60.0)
    assert await guarded("x") == "x"
    assert policy.state is State.CLOSED
    assert await guarded("y") == "y"


async def test_a_function_known_to_return_coroutines_gives_awaitables_for_everything(clock, flaky):
    """Its refusals, its fallback's plain answers, and what it raises before any coroutine."""
    call = taking_turns(
        handing_out_coroutines(flaky(0)), flaky(1), handing_out_coroutines(flaky(0))
    )
    policy = CircuitBreaker(clock=clock, fallback=lambda value: "local")
    guarded = policy(Retry(1, NO_WAIT, clock=clock)(call))
    assert await guarded("x") == "x"
    assert await guarded("x") == "x"  # the first attempt of this one raised at once
    policy.force_open()
    assert await guarded("x") == "local"


async def test_a_failure_before_any_coroutine_is_counted_too(clock, flaky):
    policy = CircuitBreaker(failure_threshold=1, clock=clock)
    guarded = policy(taking_turns(handing_out_coroutines(flaky(0)), flaky(1)))
    await guarded("x")
    with pytest.raises(ConnectionError):
        await guarded("x")
    assert policy.state is State.OPEN


async def test_a_probe_that_returns_a_coroutine_holds_its_permit_until_that_is_over(clock, flaky):
    policy = CircuitBreaker("hub", 1, clock=clock)
    with pytest.raises(ConnectionError):
        policy(flaky(1))("x")
    clock.advance(60.0)
    guarded = policy(handing_out_coroutines(flaky(0)))
    probe = guarded("x")
    with pytest.raises(CircuitOpenError):
        await guarded("y")
    assert await probe == "x"
    assert policy.state is State.CLOSED


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
async def test_a_probe_that_is_never_awaited_gives_its_permit_back(clock, flaky):
    policy = CircuitBreaker("hub", 1, clock=clock)
    with pytest.raises(ConnectionError):
        policy(flaky(1))("x")
    clock.advance(60.0)
    guarded = policy(handing_out_coroutines(flaky(0)))
    guarded("dropped")
    gc.collect()
    assert await guarded("x") == "x"
    assert policy.state is State.CLOSED


async def test_a_deadline_lasts_until_a_returned_coroutine_is_over(clock):
    left = []

    def call():
        left.append(time_left())

        async def run():
            clock.advance(1.0)
            left.append(time_left())

        return run()

    await Retry(deadline=5.0, clock=clock)(call)()
    assert left == [5.0, 4.0]
    assert time_left() is None


async def test_a_partial_of_a_coroutine_function_is_a_coroutine_function(clock, flaky):
    dependency = flaky(1)

    async def call(prefix, value):
        return prefix + dependency(value)

    guarded = Retry(clock=clock)(functools.partial(call, "a"))
    assert inspect.iscoroutinefunction(guarded)
    assert await guarded("b") == "ab"


# --- generators -------------------------------------------------------------------------------


class Source:
    """Generators that fail before the first item, or after some."""

    def __init__(self, failures, items=3, then=None):
        self.failures, self.items, self.then = failures, items, then
        self.runs = 0
        self.closed = 0

    def plain(self, value="item"):
        self.runs += 1
        if self.runs <= self.failures:
            raise ConnectionError("before the first item")
        try:
            for number in range(self.items):
                yield f"{value} {number}"
            if self.then is not None:
                raise self.then("after the last item")
        finally:
            self.closed += 1
        return "the end"

    async def asynchronous(self, value="item"):
        for item in self.plain(value):
            yield item


@pytest.fixture(params=["plain", "asynchronous"])
def kind(request):
    return request.param


async def drain(generator):
    if inspect.isgenerator(generator):
        return list(generator)
    return [item async for item in generator]


async def first(generator):
    return next(generator) if inspect.isgenerator(generator) else await anext(generator)


async def throw(generator, error):
    if inspect.isgenerator(generator):
        generator.throw(error)
    else:
        await generator.athrow(error)


async def close(generator):
    if inspect.isgenerator(generator):
        generator.close()
    else:
        await generator.aclose()


async def test_a_generator_is_repeated_until_its_first_item(clock, kind):
    source = Source(failures=2)
    guarded = Retry(clock=clock)(getattr(source, kind))
    assert await drain(guarded("x")) == ["x 0", "x 1", "x 2"]
    assert source.runs == 3
    assert len(clock.sleeps) == 2


async def test_a_generator_without_waits_does_not_sleep(clock, kind):
    guarded = Retry(2, NO_WAIT, clock=clock)(getattr(Source(failures=2), kind))
    assert len(await drain(guarded())) == 3
    assert sum(clock.sleeps) == 0.0


async def test_once_items_have_flowed_nothing_is_replayed(clock, kind, events):
    source = Source(failures=0, then=ConnectionError)
    policy = stack(Fallback(lambda *_: ["never"]), Retry(clock=clock, on_event=events.append))
    generator = policy(getattr(source, kind))("x")
    assert [await first(generator) for _ in range(3)] == ["x 0", "x 1", "x 2"]
    with pytest.raises(ConnectionError):
        await first(generator)
    assert source.runs == 1
    assert events[-1].reason == "items had been handed out already"


async def test_a_failure_after_items_counts_with_the_circuit(clock, kind):
    policy = CircuitBreaker(failure_threshold=3, clock=clock)
    guarded = policy(getattr(Source(failures=0, then=ConnectionError), kind))
    for _ in range(3):
        with pytest.raises(ConnectionError):
            await drain(guarded())
    with pytest.raises(CircuitOpenError):
        await drain(guarded())


async def test_an_early_end_by_the_consumer_is_nobodys_fault(clock, kind, flaky):
    policy = CircuitBreaker(failure_threshold=2, clock=clock)
    source = Source(failures=0)
    guarded, dead = policy(getattr(source, kind)), policy(flaky(99))
    with pytest.raises(ConnectionError):
        dead("x")
    for _ in range(5):
        generator = guarded()
        assert await first(generator) == "item 0"
        await close(generator)
    assert source.closed == 5
    assert policy.state is State.CLOSED
    with pytest.raises(ConnectionError):
        dead("x")
    assert policy.state is State.OPEN  # the streak was not broken either


async def test_a_probing_generator_gives_its_permit_back_when_closed(clock, kind, flaky):
    policy = CircuitBreaker(failure_threshold=1, clock=clock)
    with pytest.raises(ConnectionError):
        policy(flaky(1))("x")
    clock.advance(60.0)
    generator = policy(getattr(Source(failures=0), kind))()
    await first(generator)
    with pytest.raises(CircuitOpenError):
        policy(flaky(0))("x")
    await close(generator)
    assert policy(flaky(0))("x") == "x"


@pytest.mark.parametrize("substitute", [["a", "b"], lambda: ["a", "b"], lambda: iter("ab")])
async def test_a_fallback_may_give_other_items(kind, substitute):
    guarded = Fallback(substitute)(getattr(Source(failures=9), kind))
    assert await drain(guarded()) == ["a", "b"]


async def test_a_fallback_may_be_an_asynchronous_iterable():
    class Items:
        def __aiter__(self):
            self.left = [2, 1]
            return self

        async def __anext__(self):
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop()

    guarded = Fallback(Items())(Source(failures=9).asynchronous)
    assert await drain(guarded()) == [1, 2]
    again = Fallback(Source(failures=0).asynchronous)(Source(failures=9).asynchronous)
    assert await drain(again("x")) == ["x 0", "x 1", "x 2"]


async def test_a_fallback_of_plain_items_can_be_closed_and_thrown_into(kind):
    guarded = Fallback(["a", "b"])(getattr(Source(failures=9), kind))
    generator = guarded()
    assert await first(generator) == "a"
    await close(generator)
    generator = guarded()
    assert await first(generator) == "a"
    with pytest.raises(KeyError):
        await throw(generator, KeyError("x"))


def test_send_throw_and_the_return_value_reach_the_generator(clock):
    @stack(Retry(clock=clock), CircuitBreaker(clock=clock))
    def echo():
        got = yield "first"
        try:
            yield got
        except KeyError as error:
            yield f"caught {error.args[0]}"
        return "the end"

    generator = echo()
    assert inspect.isgeneratorfunction(echo)
    assert next(generator) == "first"
    assert generator.send("hello") == "hello"
    assert generator.throw(KeyError("thrown")) == "caught thrown"
    with pytest.raises(StopIteration) as end:
        next(generator)
    assert end.value.value == "the end"


async def test_asend_and_athrow_reach_the_async_generator(clock):
    @stack(Retry(clock=clock), CircuitBreaker(clock=clock))
    async def echo():
        got = yield "first"
        try:
            yield got
        except KeyError as error:
            yield f"caught {error.args[0]}"

    generator = echo()
    assert inspect.isasyncgenfunction(echo)
    assert await anext(generator) == "first"
    assert await generator.asend("hello") == "hello"
    assert await generator.athrow(KeyError("thrown")) == "caught thrown"
    with pytest.raises(StopAsyncIteration):
        await anext(generator)


@pytest.mark.parametrize("name", ["plain", "asynchronous"])
def test_a_deadline_of_its_own_does_not_fit_a_generator(name):
    with pytest.raises(ConfigurationError, match="around the loop"):
        Retry(deadline=5.0)(getattr(Source(0), name))


async def test_a_deadline_around_the_loop_fits_one(clock, kind):
    source = Source(failures=9)
    guarded = Retry(9, Backoff("fixed", initial=4.0, jitter=False), clock=clock)
    with deadline(10.0, clock=clock), pytest.raises(ConnectionError):
        await drain(guarded(getattr(source, kind))())
    assert source.runs == 3
