"""``protect``: put policies around a function of any kind, and keep the happy path short."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from tenuto.clock import Clock
from tenuto.errors import ConfigurationError

from .deadline import deadline, time_left
from .happy import (
    careful,
    careful_async,
    counted,
    counted_async,
    counted_in_time,
    counted_in_time_async,
    plain,
    plain_async,
)
from .iterating import async_generator, generator
from .series import Guarded
from .slow import SlowPath

if TYPE_CHECKING:
    from .breaker import CircuitBreaker
    from .fallback import Fallback
    from .retry import Retry

__all__ = ["protect"]

P = ParamSpec("P")
R = TypeVar("R")


def protect(
    function: Callable[P, R],
    *,
    fallback: Fallback | None = None,
    retry: Retry | None = None,
    breaker: CircuitBreaker | None = None,
) -> Callable[P, R]:
    """``function`` behind a fallback around a retry around a breaker; each may be missing.

    What comes back is of the same kind: plain, coroutine, generator or async generator function.
    """
    if isinstance(function, (staticmethod, classmethod)) or not callable(function):
        raise ConfigurationError(
            "function", "guard the function itself, and put @staticmethod or @classmethod on top"
        )
    guarded = Guarded(
        function,
        getattr(function, "__qualname__", type(function).__qualname__),
        fallback,
        retry,
        None if breaker is None else breaker.circuit,
    )
    call = functools.wraps(function)(_wrapper(guarded, breaker))
    if retry is not None and retry.deadline is not None:
        call = functools.wraps(function)(_limited(call, retry.deadline, retry.clock))
    return cast("Callable[P, R]", call)


def _wrapper(guarded: Guarded, breaker: CircuitBreaker | None) -> Callable[..., Any]:
    function, retry = guarded.function, guarded.retry
    if inspect.isgeneratorfunction(function):
        return generator(guarded)
    if inspect.isasyncgenfunction(function):
        return async_generator(guarded)
    is_async = inspect.iscoroutinefunction(function)
    slow = SlowPath(guarded, _quick_substitute(guarded, breaker))
    if retry is not None and retry.timed:
        return careful_async(slow) if is_async else careful(slow)
    circuit = guarded.circuit
    if circuit is None:
        return plain_async(slow) if is_async else plain(slow)
    if circuit.machine.turn < math.inf:
        timed = counted_in_time_async if is_async else counted_in_time
        return timed(slow, circuit)
    return counted_async(slow, circuit) if is_async else counted(slow, circuit)


def _quick_substitute(
    guarded: Guarded, breaker: CircuitBreaker | None
) -> Callable[..., Any] | None:
    """What answers a refused call when nobody needs to hear of the refusal."""
    fallback, retry = guarded.fallback, guarded.retry
    if breaker is None or breaker.on_event is not None:
        return None
    if breaker.fallback is not None:
        return breaker.fallback if retry is None and fallback is None else None
    if fallback is None or fallback.on_event is not None:
        return None
    if retry is not None and (retry.on_event is not None or not retry.shuns_refusals):
        return None
    # A rule of the user's may look at the refusal itself.
    return fallback.function if fallback.exceptions is None else None


def _limited(call: Callable[..., Any], seconds: float, clock: Clock) -> Callable[..., Any]:
    """``call`` within a deadline of its own."""
    if inspect.isgeneratorfunction(call) or inspect.isasyncgenfunction(call):
        raise ConfigurationError(
            "deadline", "it would run on in the consumer: put `with deadline(…):` around the loop"
        )
    if inspect.iscoroutinefunction(call):

        async def limited_async(*args: Any, **kwargs: Any) -> Any:
            with deadline(seconds, clock=clock):
                return await call(*args, **kwargs)

        return limited_async

    def limited(*args: Any, **kwargs: Any) -> Any:
        with deadline(seconds, clock=clock):
            result = call(*args, **kwargs)
            if not hasattr(type(result), "__await__"):
                return result
            left = time_left()
        assert left is not None
        return _await_within(left, clock, result)

    return limited


async def _await_within(seconds: float, clock: Clock, pending: Awaitable[Any]) -> Any:
    with deadline(max(0.0, seconds), clock=clock):
        return await pending
