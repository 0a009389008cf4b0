"""What every gate can rely on: one permit a call, given back exactly once, whatever the kind."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from tenuto.errors import BulkheadFullError, ConfigurationError
from tenuto.policies.engine.gates import gated
from tenuto.policies.engine.parking import Park, Waiter


class Turnstile:
    """A gate with one place. ``told`` is what each permit was given back with."""

    def __init__(self, clock, *, quick=True):
        self.clock = clock
        self.quick = quick
        self.free = True
        self.told = []
        self.queue = []

    def admit(self, args, kwargs):
        if self.quick and self.free:
            self.free = False
            return object()
        return None

    def enter(self, name, args, kwargs):
        if not self.free:
            waiter = Waiter()
            self.queue.append(waiter)
            try:
                yield Park(waiter, 5.0)
            finally:
                if not waiter.granted:
                    self.queue.remove(waiter)
            if not waiter.granted:
                return BulkheadFullError(service=name)
        self.free = False
        return object()

    def settle(self, permit, error, name):
        self.told.append(None if error is None else type(error))
        self.free = True
        if self.queue:
            self.queue.pop(0).grant()


@pytest.fixture(params=["at once", "the long way"])
def gate(request, clock):
    return Turnstile(clock, quick=request.param == "at once")


def test_a_call_that_goes_well_gives_its_permit_back(world, gate):
    guarded = gated(world.function(lambda value: value), gate)
    assert [world.call(guarded, "a"), world.call(guarded, "b")] == ["a", "b"]
    assert gate.told == [None, None]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_call_that_fails_gives_its_permit_back_and_its_error_on(world, gate, error):
    def fail():
        raise error("x")

    with pytest.raises(error):
        world.call(gated(world.function(fail), gate))
    assert gate.told == [error]


def test_a_function_that_returns_an_awaitable_holds_its_permit_until_it_is_awaited(gate):
    async def later(value):
        return value

    def begin(value):
        return later(value)

    pending = gated(begin, gate)("a")
    assert gate.told == []
    assert asyncio.run(pending) == "a"
    assert gate.told == [None]


def test_a_function_known_to_return_awaitables_does_not_block_the_loop_while_it_waits(clock):
    gate = Turnstile(clock)

    async def later():
        await asyncio.sleep(1.0)
        return "x"

    def begin():
        return later()

    guarded = gated(begin, gate)

    async def main():
        return await asyncio.gather(guarded(), guarded(), guarded())

    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        assert runner.run(main()) == ["x", "x", "x"]
    assert gate.told == [None, None, None]


def test_a_generator_holds_its_permit_until_it_ends(gate):
    @gated_by(gate)
    def items():
        sent = yield 1
        yield sent
        return "end"

    source = items()
    assert next(source) == 1
    assert gate.told == []
    assert source.send("echo") == "echo"
    with pytest.raises(StopIteration, match="end"):
        next(source)
    assert gate.told == [None]


def test_a_generator_that_is_left_early_gives_its_permit_back(gate):
    @gated_by(gate)
    def items():
        yield from range(9)

    source = items()
    next(source)
    source.close()
    assert gate.told == [GeneratorExit]


def test_an_async_generator_holds_its_permit_until_it_ends(gate):
    @gated_by(gate)
    async def items():
        yield 1
        yield 2

    async def collect():
        return [item async for item in items()]

    assert asyncio.run(collect()) == [1, 2]
    assert gate.told == [None]


def test_who_waits_too_long_is_refused_and_leaves_the_queue(world, gate):
    gate.free = False
    guarded = gated(world.function(lambda: "x"), gate)
    with pytest.raises(BulkheadFullError):
        world.call(guarded)
    assert gate.queue == gate.told == []


def test_a_generator_waits_for_its_place_before_its_first_item(gate):
    gate.free = False
    source = gated_by(gate)(lambda: iter(()))
    with pytest.raises(BulkheadFullError):
        source()

    @gated_by(gate)
    def items():
        yield 1

    with pytest.raises(BulkheadFullError):
        next(items())

    @gated_by(gate)
    async def items_later():
        yield 1

    with (
        asyncio.Runner(loop_factory=gate.clock.new_event_loop) as runner,
        pytest.raises(BulkheadFullError),
    ):
        runner.run(first(items_later()))


def test_a_thread_that_waits_is_woken_when_its_place_is_free(gate):
    gate.clock = Waking(gate)
    gate.free = False
    assert gated(lambda: "in", gate)() == "in"
    assert gate.told == [None, None]


def test_a_task_that_waits_is_woken_from_another_thread(gate):
    gate.free = False
    guarded = gated(coroutine, gate)

    async def main():
        task = asyncio.ensure_future(guarded())
        await queued(gate)
        thread = threading.Thread(target=gate.settle, args=(None, None, "x"))
        thread.start()
        result = await task
        thread.join()
        return result

    assert asyncio.run(main()) == "in"


def test_a_task_cancelled_in_the_queue_leaves_it_at_once(gate):
    gate.free = False
    guarded = gated(coroutine, gate)

    async def main():
        task = asyncio.ensure_future(guarded())
        await queued(gate)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return list(gate.queue)

    assert asyncio.run(main()) == []


def test_a_place_may_be_granted_before_anybody_waits_for_it(clock):
    waiter, woken = Waiter(), []
    waiter.grant()
    waiter.wake_by(lambda: woken.append(1))
    assert woken == [1]


def test_a_place_granted_to_a_task_whose_loop_is_gone_harms_nobody(gate):
    gate.free = False
    waiting = gated(coroutine, gate)()
    loop = asyncio.new_event_loop()
    task = loop.create_task(waiting)
    loop.run_until_complete(asyncio.sleep(0))
    (waiter,) = gate.queue
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
    waiter.grant()


def test_an_awaitable_that_is_never_awaited_gives_its_permit_back(gate):
    gated(Promise, gate)()
    gc.collect()
    assert len(gate.told) == 1


def test_what_is_no_function_is_refused(gate):
    with pytest.raises(ConfigurationError, match="staticmethod"):
        gated(staticmethod(len), gate)


async def queued(gate):
    """Until somebody waits."""
    while not gate.queue:  # noqa: ASYNC110 - the gate has nothing to be told by
        await asyncio.sleep(0)


async def first(items):
    return await anext(items)


async def coroutine():
    return "in"


class Promise:
    """Something to await that minds nobody forgetting it."""

    def __await__(self):
        yield


def gated_by(gate):
    return lambda function: gated(function, gate)


class Waking:
    """A clock on which the holder of the only place leaves while somebody waits."""

    def __init__(self, gate):
        self._gate = gate

    def wait(self, event, seconds):
        self._gate.settle(None, None, "x")
        assert event.is_set()
