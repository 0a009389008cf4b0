"""Context that follows the work: ``with scope(audio_id="a17"): …``.

A scope is seen by everything called inside it, and by the asyncio tasks started there. It is not
seen by threads and processes, which start with an empty context: hand them ``carry(function)``.
(``tenuto.ContextThreadPoolExecutor`` does that by itself; ``tenuto.inject`` is for networks.)
"""

from __future__ import annotations

import functools
import inspect
import pickle  # only to learn whether a pool could carry a value
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType
from typing import Any, ParamSpec, TypeVar, cast

__all__ = ["Scope", "carry", "current_context", "scope"]

P = ParamSpec("P")
R = TypeVar("R")

_EMPTY: Mapping[str, Any] = MappingProxyType({})
_context: ContextVar[Mapping[str, Any]] = ContextVar("tenuto_context", default=_EMPTY)


def current_context() -> Mapping[str, Any]:
    """What the scopes around this line say, inner ones before outer ones. Read-only."""
    return _context.get()


def scope(**context: Any) -> Scope:
    """Add ``context`` to every error captured inside the block; also works as a decorator.

    A name that an outer scope uses too is hidden for the length of the block. The values are
    kept as they are, and redacted only where an error is captured. Two names mean something to
    Tenuto: ``fingerprint`` decides which errors are the same fault, and ``traceparent`` says which
    trace they belong to, where OpenTelemetry does not.
    """
    return Scope(context)


class Scope:
    """What ``scope`` returns: a context manager, and a decorator of functions."""

    __slots__ = ("_added", "_tokens")

    def __init__(self, context: Mapping[str, Any]) -> None:
        self._added = context
        self._tokens: list[Token[Mapping[str, Any]]] = []

    def __enter__(self) -> None:
        around = _context.get()
        self._tokens.append(_context.set(MappingProxyType({**around, **self._added})))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Several tasks may be inside, and each takes away what it has added itself.
        for token in reversed(self._tokens):
            with suppress(ValueError):
                _context.reset(token)
                self._tokens.remove(token)
                return
        # The block ends in another task or thread than it began in, as that of a generator may:
        # here nothing was added that could be taken away. Of several, nobody knows which ended.
        if len(self._tokens) == 1:
            self._tokens.clear()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """``function`` inside a scope of its own for each call.

        Raises TypeError for generator functions: their steps are run by whoever asks for them.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"open the scope inside of {function!r}: it is a generator function")
        added = self._added
        run: Callable[..., Any]
        if inspect.iscoroutinefunction(function):

            async def run(*args: P.args, **kwargs: P.kwargs) -> Any:
                return await _run_async(function, added, *args, **kwargs)

        else:

            def run(*args: P.args, **kwargs: P.kwargs) -> Any:
                return _run(function, added, *args, **kwargs)

        return cast("Callable[P, R]", functools.wraps(function)(run))


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, to be run elsewhere with the context of this line.

    What comes back can be handed to a thread, an executor or, if ``function`` can be pickled, to
    another process; values of the context that cannot be pickled stay behind. Works for plain and
    coroutine functions.
    """
    run: Callable[..., Any] = _run_async if inspect.iscoroutinefunction(function) else _run
    # A partial, not a closure: it can be pickled.
    return functools.partial(run, function, _Carried(_context.get()))


class _Carried(dict[str, Any]):
    """A context that gets through to another process, if need be without some of its values."""

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, ({name: value for name, value in self.items() if _can_be_pickled(value)},)


def _can_be_pickled(value: object) -> bool:
    try:
        pickle.dumps(value)
    except Exception:  # pickling runs the value's own code
        return False
    return True


def _run(function: Callable[..., Any], context: Mapping[str, Any], /, *args: Any, **kw: Any) -> Any:
    with Scope(context):
        result = function(*args, **kw)
    # What is no coroutine function may return a coroutine all the same.
    return _awaited(result, context) if inspect.iscoroutine(result) else result


async def _run_async(
    function: Callable[..., Any], context: Mapping[str, Any], /, *args: Any, **kw: Any
) -> Any:
    with Scope(context):
        return await function(*args, **kw)


async def _awaited(coroutine: Coroutine[Any, Any, R], context: Mapping[str, Any]) -> R:
    with Scope(context):
        return await coroutine
