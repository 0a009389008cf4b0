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
from typing import Any, Generic, ParamSpec, TypeVar

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
    carried = _CarriedCoroutine if inspect.iscoroutinefunction(function) else _Carried
    return carried(function, dict(_context.get()))


class _Carried(Generic[P, R]):
    """A function and a context, as an object: closures do not survive pickling."""

    def __init__(self, function: Callable[P, R], context: dict[str, Any]) -> None:
        self._function = function
        self._context = context
        functools.update_wrapper(self, function, updated=())
        del self.__wrapped__  # type: ignore[attr-defined]  # it would be pickled a second time

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        with scope(**self._context):
            return self._function(*args, **kwargs)


class _CarriedCoroutine(_Carried[..., Any]):
    """The same for a coroutine function: the scope has to last until the coroutine ends."""

    def __init__(self, function: Callable[..., Any], context: dict[str, Any]) -> None:
        super().__init__(function, context)
        inspect.markcoroutinefunction(self)

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with scope(**self._context):
            return await self._function(*args, **kwargs)
