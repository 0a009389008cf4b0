"""Gates: what admits calls, each under a permit that is given back exactly once.

A bulkhead, a limit of any kind and a load shedder are gates. Where one has a permit at hand, a call
costs that, the call itself, and giving it back; whatever takes longer goes the long way.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from tenuto.clock import Clock
from tenuto.errors import RefusedError

from .drive import drive, drive_async, settle
from .iterating import async_generator, generator
from .naming import check_function, name_of
from .outcome import Outcome
from .promised import Promised
from .registry import register
from .steps import Step, Steps

__all__ = ["Gate", "gated", "through"]

P = ParamSpec("P")
R = TypeVar("R")


class Gate(Protocol):
    """What a policy has to say so that its calls pass through it one permit each."""

    @property
    def clock(self) -> Clock:
        """Where waits are spent."""
        ...

    def admit(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object | None:
        """The permit, if the call may go on at once; None: it goes the long way."""
        ...

    def enter(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Generator[Step, Outcome | None, object]:
        """The long way: the permit, or the ``RefusedError`` for the caller, is returned."""
        ...

    def settle(self, permit: Any, error: BaseException | None, name: str) -> None:
        """The call under ``permit`` is over; without an error it went well. Never raises."""
        ...


def through(
    gate: Gate, function: Callable[..., Any], name: str, args: Any, kwargs: Mapping[str, Any]
) -> Steps:
    """One call of ``function`` through ``gate``, the long way."""
    permit = yield from gate.enter(name, args, kwargs)
    if isinstance(permit, RefusedError):
        return Outcome(error=permit)
    ended: Outcome | None = None
    try:
        ended = yield function
    finally:
        # However this ends, the permit is given back: dropped halfway, it proves nothing.
        gate.settle(permit, GeneratorExit() if ended is None else ended.error, name)
    assert ended is not None
    return ended


def gated(function: Callable[P, R], gate: Gate, name: str | None = None) -> Callable[P, R]:
    """``function`` behind ``gate``: of the same kind, with the same name and signature."""
    check_function(function)
    own_name = name_of(function)
    wrapper = functools.wraps(function)(_wrapper(function, gate, name or own_name))
    register(wrapper, name, own_name)
    return cast("Callable[P, R]", wrapper)


def _wrapper(function: Callable[..., Any], gate: Gate, name: str) -> Callable[..., Any]:
    def steps(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Steps:
        return through(gate, function, name, args, kwargs)

    if inspect.isgeneratorfunction(function):
        return generator(steps, gate.clock)
    if inspect.isasyncgenfunction(function):
        return async_generator(steps, gate.clock)
    if inspect.iscoroutinefunction(function):
        return _gated_async(function, gate, name)
    return _gated_plain(function, gate, name)


def _gated_plain(function: Callable[..., Any], gate: Gate, name: str) -> Callable[..., Any]:
    admit, settle_with = gate.admit, gate.settle
    returns_awaitables = False  # was seen to: its waits must not block an event loop

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal returns_awaitables
        permit = admit(args, kwargs)
        if permit is None:
            steps = through(gate, function, name, args, kwargs)
            if returns_awaitables:
                return _drive_later(steps, gate, args, kwargs)
            return drive(steps, gate.clock, args, kwargs).unwrap()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:  # what is neutral gives its permit back as well
            settle_with(permit, error, name)
            raise
        if hasattr(type(result), "__await__"):
            returns_awaitables = True
            finishing = _finish(result, gate, permit, name)
            return Promised(finishing, lambda: settle_with(permit, GeneratorExit(), name))
        settle_with(permit, None, name)
        return result

    return call


def _gated_async(function: Callable[..., Any], gate: Gate, name: str) -> Callable[..., Any]:
    admit, settle_with = gate.admit, gate.settle

    async def call(*args: Any, **kwargs: Any) -> Any:
        permit = admit(args, kwargs)
        if permit is None:
            steps = through(gate, function, name, args, kwargs)
            return (await drive_async(steps, gate.clock, args, kwargs)).unwrap()
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:  # what is neutral gives its permit back as well
            settle_with(permit, error, name)
            raise
        settle_with(permit, None, name)
        return result

    return call


async def _drive_later(
    steps: Steps, gate: Gate, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    return (await drive_async(steps, gate.clock, args, kwargs)).unwrap()


async def _finish(pending: Awaitable[Any], gate: Gate, permit: object, name: str) -> Any:
    """See a call through that a plain function has begun."""
    outcome = await settle(pending)
    gate.settle(permit, outcome.error, name)
    return outcome.unwrap()
