"""Context that follows the work: ``with scope(audio_id="a17"): …``.

A scope is seen by everything called inside it, and by the asyncio tasks started there. It is not
seen by threads and processes, which start with an empty context: hand them ``carry(function)``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

__all__ = ["carry", "current_context", "scope"]

P = ParamSpec("P")
R = TypeVar("R")

_EMPTY: Mapping[str, Any] = MappingProxyType({})
_context: ContextVar[Mapping[str, Any]] = ContextVar("tenuto_context", default=_EMPTY)


def current_context() -> Mapping[str, Any]:
    """What the scopes around this line say, inner ones before outer ones. Read-only."""
    return _context.get()


@contextmanager
def scope(**context: Any) -> Generator[None, None, None]:
    """Add ``context`` to every error captured inside the block; also works as a decorator.

    A name that an outer scope uses too is hidden for the length of the block. The values are
    kept as they are, and redacted only where an error is captured.
    """
    token = _context.set(MappingProxyType({**_context.get(), **context}))
    try:
        yield
    finally:
        _context.reset(token)


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, to be run elsewhere with the context of this line.

    What comes back can be handed to a thread, an executor, or, where the function and the values
    of the context can be pickled, to another process. Works for plain and coroutine functions.
    """
    run: Callable[..., Any] = _run_async if inspect.iscoroutinefunction(function) else _run
    # A partial, not a closure: it can be pickled.
    return functools.partial(run, function, dict(_context.get()))


def _run(function: Callable[..., Any], context: dict[str, Any], /, *args: Any, **kw: Any) -> Any:
    with scope(**context):
        return function(*args, **kw)


async def _run_async(
    function: Callable[..., Any], context: dict[str, Any], /, *args: Any, **kw: Any
) -> Any:
    with scope(**context):
        return await function(*args, **kw)
