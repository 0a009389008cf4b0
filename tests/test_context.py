"""Context that follows the work."""

import asyncio
import pickle
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


async def test_a_coroutine_function_is_carried_to_its_end():
    with scope(audio_id="a"):
        carried = carry(_audio_id_async)
    assert await carried() == "a"
    assert current_context() == {}
