"""One description, two ways to run it.

A recovery is written once, as a generator that yields the calls it wants made and is sent what
they returned (or thrown what they raised). ``run`` makes them here and now; ``run_async`` awaits
those that are asynchronous.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar

from tenuto.errors import ConfigurationError

__all__ = ["Call", "Steps", "run", "run_async"]

_R = TypeVar("_R")
Call: TypeAlias = Callable[[], Any]
Steps: TypeAlias = Generator[Call, Any, _R]


def run(steps: Steps[_R]) -> _R:
    """Run ``steps``; a call that turns out to be asynchronous fails with ConfigurationError."""
    try:
        call = next(steps)
        while True:
            try:
                value = _made_here(call)
            except Exception as raised:  # the steps know what to do about it
                failure = raised
            else:
                call = steps.send(value)
                continue
            call = steps.throw(failure)
            del failure
    except StopIteration as end:
        result: _R = end.value
        return result
    finally:
        steps.close()


async def run_async(steps: Steps[_R]) -> _R:
    """Run ``steps``, awaiting what is asynchronous."""
    try:
        call = next(steps)
        while True:
            try:
                value = call()
                if inspect.isawaitable(value):
                    value = await value
            except Exception as raised:  # the steps know what to do about it
                failure = raised
            else:
                call = steps.send(value)
                continue
            call = steps.throw(failure)
            del failure
    except StopIteration as end:
        result: _R = end.value
        return result
    finally:
        steps.close()


def _made_here(call: Call) -> Any:
    value = call()
    if inspect.iscoroutine(value):
        value.close()
        raise ConfigurationError("calling this synchronously", "it is asynchronous: await it")
    return value
