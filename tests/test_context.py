"""Context that follows the work."""

import asyncio
import contextvars
import functools
import inspect
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tenuto.context import carry, current_context, scope


def test_scopes_nest_and_end():
    assert current_context() == {}
    with scope(audio_id="a", tier="high"):
        with scope(tier="low", attempt=2):
            assert current_context() == {"audio_id": "a", "tier": "low", "attempt": 2}
        assert current_context() == {"audio_id": "a", "tier": "high"}
    assert current_context() == {}


def test_a_scope_ends_with_an_error_too():
    with pytest.raises(ValueError), scope(audio_id="a"):
        raise ValueError
    assert current_context() == {}


def test_a_scope_as_a_decorator():
    @scope(stage="decode")
    def work():
        return dict(current_context())

    assert work() == {"stage": "decode"}


def test_nobody_can_change_the_context_behind_our_back():
    with scope(audio_id="a"), pytest.raises(TypeError):
        current_context()["audio_id"] = "b"


async def test_tasks_see_the_scope_they_were_started_in():
    async def work():
        await asyncio.sleep(0)
        return current_context().get("audio_id")

    async def one(name):
        with scope(audio_id=name):
            return await asyncio.create_task(work())

    assert await asyncio.gather(one("a"), one("b")) == ["a", "b"]


def _audio_id(prefix=""):
    return f"{prefix}{current_context().get('audio_id')}"


async def _audio_id_async():
    await asyncio.sleep(0)
    return _audio_id()


def test_a_thread_sees_nothing_unless_it_is_carried():
    with ThreadPoolExecutor(1) as pool, scope(audio_id="a"):
        assert pool.submit(_audio_id).result() == "None"
        assert pool.submit(carry(_audio_id), prefix="id-").result() == "id-a"


def test_what_is_carried_survives_pickling():
    with scope(audio_id="a"):
        carried = carry(_audio_id)
    assert pickle.loads(pickle.dumps(carried))() == "a"


def test_values_that_cannot_be_pickled_stay_behind():
    with scope(audio_id="a", lock=threading.Lock()):
        carried = carry(_seen)
    assert set(carried()) == {"audio_id", "lock"}
    assert pickle.loads(pickle.dumps(carried))() == {"audio_id": "a"}


def _seen():
    return dict(current_context())


class Worker:
    async def __call__(self):
        await asyncio.sleep(0)
        return _audio_id()


async def test_what_is_asynchronous_in_another_way_is_carried_to_its_end():
    with scope(audio_id="a"):
        carried = carry(Worker())
        partial = carry(functools.partial(_audio_id_async))
    assert await carried() == "a"
    assert await partial() == "a"


async def test_a_scope_as_the_decorator_of_a_coroutine_function():
    @scope(stage="decode")
    async def work(number):
        """Its own."""
        await asyncio.sleep(0)
        return number, _seen()

    assert inspect.iscoroutinefunction(work)
    assert work.__doc__ == "Its own."
    assert await asyncio.gather(work(1), work(number=2)) == [
        (1, {"stage": "decode"}),
        (2, {"stage": "decode"}),
    ]
    assert current_context() == {}


def test_a_scope_as_the_decorator_of_a_recursion():
    @scope(stage="decode")
    def fall(n):
        return fall(n - 1) if n else _seen()

    assert fall(5) == {"stage": "decode"}
    assert current_context() == {}


def test_a_generator_function_cannot_be_decorated():
    def steps():
        yield

    async def async_steps():
        yield

    for function in (steps, async_steps):
        with pytest.raises(TypeError, match="open the scope inside of"):
            scope(stage="decode")(function)


def test_a_scope_that_ends_in_another_context_is_no_trouble():
    def steps():
        with scope(audio_id="a"):
            yield _seen()
        yield _seen()

    generator = steps()
    assert contextvars.copy_context().run(next, generator) == {"audio_id": "a"}
    assert next(generator) == {}
    generator.close()


def test_a_scope_can_be_used_again():
    again = scope(audio_id="a")
    for _ in range(2):
        with again:
            assert _seen() == {"audio_id": "a"}
        assert _seen() == {}


async def test_a_coroutine_function_is_carried_to_its_end():
    with scope(audio_id="a"):
        carried = carry(_audio_id_async)
    assert await carried() == "a"
    assert current_context() == {}


async def test_one_scope_may_be_open_in_several_tasks_and_each_ends_its_own():
    one = scope(stage="decode")
    entered, leave = asyncio.Event(), asyncio.Event()

    async def first():
        with one:
            entered.set()
            await leave.wait()
        return dict(current_context())

    async def second():
        await entered.wait()
        with one:
            leave.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return dict(current_context())

    assert await asyncio.gather(first(), second()) == [{}, {}]


def test_one_scope_may_be_entered_twice():
    one = scope(stage="decode")
    with one:
        with one:
            assert current_context() == {"stage": "decode"}
        assert current_context() == {"stage": "decode"}
    assert current_context() == {}


def test_scopes_that_end_in_another_task_leave_nothing_behind():
    one, two = scope(stage="decode"), scope(stage="encode")
    contextvars.copy_context().run(one.__enter__)
    one.__exit__(None, None, None)
    for _ in range(2):
        contextvars.copy_context().run(two.__enter__)
    two.__exit__(None, None, None)
    assert current_context() == {}
    with one:
        assert current_context() == {"stage": "decode"}
    assert current_context() == {}
