"""``protect``: put policies around a function of any kind, and keep the happy path short."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ParamSpec, TypeVar, cast

from tenuto.clock import Clock
from tenuto.errors import ConfigurationError
from tenuto.policies.deadline import deadline, time_left

from .circuit import Circuit
from .contracts import FallbackTerms, RetryTerms
from .family import CircuitFamily, by_key
from .happy import (
    careful,
    careful_async,
    counted,
    counted_async,
    counted_in_time,
    counted_in_time_async,
    plain,
    plain_async,
    watched,
    watched_async,
)
from .iterating import async_generator, generator
from .naming import check_function, name_of
from .registry import register
from .series import Guarded, series
from .slow import SlowPath
from .steps import Steps

__all__ = ["protect"]

P = ParamSpec("P")
R = TypeVar("R")


def protect(
    function: Callable[P, R],
    *,
    fallback: FallbackTerms | None = None,
    retry: RetryTerms | None = None,
    circuit: Circuit | CircuitFamily | None = None,
) -> Callable[P, R]:
    """``function`` behind a fallback around a retry around a circuit; each may be missing.

    What comes back is of the same kind: plain, coroutine, generator or async generator function.
    """
    check_function(function)
    family = circuit if isinstance(circuit, CircuitFamily) else None
    guarded = Guarded(
        function,
        name_of(function),
        fallback,
        retry,
        circuit.common if isinstance(circuit, CircuitFamily) else circuit,
    )
    wrapper = _wrapper(guarded) if family is None else by_key(guarded, family, _wrapper)
    call = functools.wraps(function)(wrapper)
    if retry is not None and retry.deadline is not None:
        call = functools.wraps(function)(_limited(call, retry.deadline, retry.clock))
    register(
        call,
        guarded.name,
        None if retry is None else retry.name,
        None if guarded.circuit is None else guarded.circuit.terms.name,
    )
    return cast("Callable[P, R]", call)


def _wrapper(guarded: Guarded, *, returns_awaitables: bool = False) -> Callable[..., Any]:
    function, retry, circuit = guarded.function, guarded.retry, guarded.circuit

    def steps(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Steps:
        return series(guarded, args, kwargs)

    if inspect.isgeneratorfunction(function):
        return generator(steps, guarded.clock)
    if inspect.isasyncgenfunction(function):
        return async_generator(steps, guarded.clock)
    is_async = inspect.iscoroutinefunction(function)
    slow = SlowPath(
        guarded, _quick_substitute(guarded), _wrapper, returns_awaitables=returns_awaitables
    )
    if retry is not None and retry.timed:
        return careful_async(slow) if is_async else careful(slow)
    if circuit is None:
        return plain_async(slow) if is_async else plain(slow)
    if circuit.flights is not None:
        if is_async:
            return watched_async(slow, circuit, circuit.flights)
        return watched(slow, circuit, circuit.flights)
    if circuit.machine.turn < math.inf:
        timed = counted_in_time_async if is_async else counted_in_time
        return timed(slow, circuit)
    return counted_async(slow, circuit) if is_async else counted(slow, circuit)


def _quick_substitute(guarded: Guarded) -> Callable[..., Any] | None:
    """What answers a refused call when nobody needs to hear of the refusal."""
    circuit, fallback, retry = guarded.circuit, guarded.fallback, guarded.retry
    if circuit is None or circuit.terms.on_event is not None or circuit.terms.shadow:
        return None
    if circuit.terms.fallback is not None:
        return circuit.terms.fallback if retry is None and fallback is None else None
    if retry is not None and (retry.on_event is not None or not retry.shuns_refusals):
        return None
    return None if fallback is None else fallback.quick


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
