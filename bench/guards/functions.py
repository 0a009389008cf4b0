"""What is guarded, and what a guard costs that is written by hand."""

from __future__ import annotations

import functools


class BoomError(Exception):
    """What goes wrong in these measurements."""


def work(x: int) -> int:
    return x


async def work_async(x: int) -> int:
    return x


def fails_twice():
    """A function that fails at the first two of every three calls."""
    calls = 0

    def flaky(x: int) -> int:
        nonlocal calls
        calls += 1
        if calls % 3:
            raise BoomError("boom")
        return x

    return flaky


def fails_twice_async():
    flaky = fails_twice()

    async def twin(x: int) -> int:
        return flaky(x)

    return twin


def by_hand(function):
    """The measure of everything: a wrapper with a try, and nothing to do on success."""

    @functools.wraps(function)
    def guarded(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except Exception as error:
            guarded.last = error
            raise

    return guarded


def by_hand_async(function):
    @functools.wraps(function)
    async def guarded(*args, **kwargs):
        try:
            return await function(*args, **kwargs)
        except Exception as error:
            guarded.last = error
            raise

    return guarded


def retry_by_hand(function):
    @functools.wraps(function)
    def guarded(*args, **kwargs):
        for attempt in range(3):
            try:
                return function(*args, **kwargs)
            except Exception:
                if attempt == 2:
                    raise
        raise AssertionError

    return guarded


def retry_by_hand_async(function):
    @functools.wraps(function)
    async def guarded(*args, **kwargs):
        for attempt in range(3):
            try:
                return await function(*args, **kwargs)
            except Exception:
                if attempt == 2:
                    raise
        raise AssertionError

    return guarded
