"""Work in pools sees the scopes around the line that submitted it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextvars import ContextVar
from multiprocessing import get_context

import pytest

from tenuto import (
    ContextProcessPoolExecutor,
    ContextThreadPoolExecutor,
    current_context,
    scope,
)
from tenuto.capture import capture

LIMIT = ContextVar("limit", default=None)


def seen(*args, **kwargs):
    return dict(current_context()), args, kwargs


def captured(number):
    try:
        raise ValueError(number)
    except ValueError as error:
        return capture(error).context


def test_threads_see_what_the_line_that_submitted_sees():
    LIMIT.set(3)
    with ContextThreadPoolExecutor(1) as pool:
        assert isinstance(pool, ThreadPoolExecutor)
        with scope(audio_id="a"):
            first = pool.submit(seen, 1, fn=2)
        with scope(audio_id="b"):
            second = pool.submit(LIMIT.get)
        third = pool.submit(seen)
        assert first.result() == ({"audio_id": "a"}, (1,), {"fn": 2})
        assert second.result() == 3
        assert third.result() == ({}, (), {})


def test_map_in_threads_sees_it_too():
    with ContextThreadPoolExecutor(2) as pool, scope(audio_id="a"):
        assert list(pool.map(captured, range(3))) == [{"audio_id": "a"}] * 3


def test_what_the_work_changes_stays_there():
    with ContextThreadPoolExecutor(1) as pool:
        pool.submit(LIMIT.set, 99).result()
        assert LIMIT.get() != 99
        assert pool.submit(LIMIT.get).result() != 99


async def test_a_loop_hands_its_scope_to_the_pool():
    with ContextThreadPoolExecutor(1) as pool, scope(audio_id="a"):
        context, _, _ = await asyncio.get_running_loop().run_in_executor(pool, seen)
    assert context == {"audio_id": "a"}


@pytest.fixture(scope="module")
def processes():
    with ContextProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


def test_processes_see_the_scopes_redacted_and_plain(processes):
    assert isinstance(processes, ProcessPoolExecutor)
    with scope(audio_id="a", token="hunter22", lock=threading.Lock()):
        context, args, kwargs = processes.submit(seen, 1, carrier=2).result()
    assert context == {"audio_id": "a", "token": "[redacted]", "lock": "<_thread.lock>"}
    assert (args, kwargs) == ((1,), {"carrier": 2})
    assert processes.submit(seen).result()[0] == {}


def test_map_in_processes_sees_it_too(processes):
    with scope(audio_id="a"):
        assert list(processes.map(captured, range(4), chunksize=2)) == [{"audio_id": "a"}] * 4


def fail():
    raise ValueError("x")


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_errors_come_back_as_they_are(kind, processes):
    with ContextThreadPoolExecutor(1) as threads, scope(audio_id="a"):
        pool = threads if kind == "threads" else processes
        with pytest.raises(ValueError, match="x"):
            pool.submit(fail).result()
