"""The permit of a probe comes back, however the call or the block ends."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from tenuto.errors import CircuitOpenError
from tenuto.policies import CircuitBreaker, EventKind, State


@pytest.fixture(autouse=True)
def _no_luck():
    """What is given back by the collector is so when it runs, and here it runs when it is told."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def due(clock, events):
    """A circuit that lets its one probe through."""
    breaker = CircuitBreaker("hub", 1, clock=clock, on_event=events.append)
    with pytest.raises(ConnectionError), breaker:
        raise ConnectionError("down")
    clock.advance(60.0)
    return breaker


def enter(breaker):
    with breaker:
        pass


class Promise:
    """Awaited, it waits once, and takes what is thrown at it."""

    def __await__(self):
        yield


def probe(breaker):
    enter(breaker)
    assert breaker.state is State.CLOSED


def call(breaker):
    breaker(print)()


@pytest.mark.parametrize("begin", [enter, call])
def test_an_interruption_while_a_listener_hears_of_the_probe(clock, begin):
    def interrupted(event):
        if event.kind is EventKind.PROBING and interruptions:
            raise interruptions.pop()

    interruptions = [KeyboardInterrupt()]
    breaker = CircuitBreaker("hub", 1, clock=clock, on_event=interrupted)
    with pytest.raises(ConnectionError), breaker:
        raise ConnectionError("down")
    clock.advance(60.0)
    with pytest.raises(KeyboardInterrupt):
        begin(breaker)
    probe(breaker)


def test_a_block_in_an_async_generator_that_another_task_closes(due):
    async def items():
        with due:
            yield 1
            yield 2

    async def begin():
        source = items()
        await anext(source)
        return source

    async def main():
        source = await asyncio.create_task(begin())
        await source.aclose()

    asyncio.run(main())
    gc.collect()
    probe(due)


def test_a_block_whose_task_is_gone(due):
    async def never():
        with due:
            await asyncio.get_running_loop().create_future()

    async def main():
        task = asyncio.create_task(never())
        await asyncio.sleep(0)
        with pytest.raises(CircuitOpenError), due:
            pass
        task.cancel()

    asyncio.run(main())
    gc.collect()
    probe(due)


def test_a_block_in_a_generator_that_another_thread_closes(due):
    def items():
        with due:
            yield 1

    source = items()

    def begin():
        next(source)

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()
    source.close()
    gc.collect()
    probe(due)


def test_blocks_left_elsewhere_do_not_pile_up(due):
    due.reset()

    async def items():
        with due:
            yield 1

    async def main():
        for _ in range(3):
            source = items()
            await anext(source)
            await asyncio.create_task(_close(source))
            probe(due)

    asyncio.run(main())


async def _close(source):
    await source.aclose()


@pytest.mark.parametrize("begun", [False, True])
def test_an_async_generator_that_is_dropped(due, begun):
    @due
    async def items():
        yield 1
        yield 2

    async def main():
        source = items()
        if begun:
            await anext(source)
        del source
        gc.collect()
        await asyncio.sleep(0)

    asyncio.run(main())
    probe(due)


def test_an_async_generator_that_is_dropped_without_a_loop_to_close_it(due):
    @due
    async def items():
        yield 1
        yield 2

    source = items()
    with pytest.raises(StopIteration) as first:
        anext(source).send(None)
    assert first.value.value == 1
    del source
    gc.collect()
    probe(due)


def test_a_generator_that_is_dropped(due):
    @due
    def items():
        yield 1
        yield 2

    source = items()
    next(source)
    del source
    gc.collect()
    probe(due)


def test_a_plain_function_whose_awaitable_is_never_awaited(due):
    due(Promise)()
    gc.collect()
    probe(due)


def test_a_coroutine_function_that_is_never_awaited_had_no_permit(due):
    @due
    async def call():
        pass

    call().close()
    probe(due)


def test_a_permit_comes_back_once_and_a_late_result_changes_nothing(due):
    pending = due(Promise)()
    pending.close()
    pending.close()
    with due, pytest.raises(CircuitOpenError):
        enter(due)
    assert due.state is State.CLOSED


@pytest.mark.parametrize("begun", [False, True])
def test_an_awaitable_at_which_something_is_thrown(due, begun):
    pending = due(Promise)()
    if begun:
        pending.send(None)
    with pytest.raises(KeyboardInterrupt):
        pending.throw(KeyboardInterrupt())
    probe(due)
