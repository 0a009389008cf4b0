"""Calls within a limit of time: what can be stopped is stopped, what cannot is told of."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from tenuto.clock import Clock
from tenuto.errors import (
    CallTimeoutError,
    ConfigurationError,
    FaultClass,
    RefusalReason,
    RefusedError,
    classify,
)
from tenuto.policies.deadline import deadline, time_left
from tenuto.policies.events import EventKind, Listener, PolicyEvent, announce

from .naming import check_function, name_of
from .outcome import Outcome
from .registry import register

__all__ = ["DeadlinePassedError", "Limits", "TimeoutTerms", "limited", "refuse_generators"]

P = ParamSpec("P")
R = TypeVar("R")


class TimeoutTerms(Protocol):
    """How long a call may take."""

    @property
    def seconds(self) -> float: ...
    @property
    def name(self) -> str | None: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def on_event(self) -> Listener | None: ...


class DeadlinePassedError(RefusedError, CallTimeoutError):
    """There was no time left for the call, which was not made: a timeout and a refusal in one."""

    fields = RefusedError.fields
    policy: str | None = "timeout"
    reason: RefusalReason | None = RefusalReason.DEADLINE


class Limits:
    """What all calls of one guarded function are measured by."""

    __slots__ = ("name", "terms")

    def __init__(self, terms: TimeoutTerms, function: Callable[..., Any]) -> None:
        self.terms = terms
        self.name = terms.name or name_of(function)

    def next(self) -> float:
        """Seconds that a call which begins now may take.

        Raises DeadlinePassedError where an outer deadline leaves none.
        """
        left = time_left()
        if left is None:
            return self.terms.seconds
        if left > 0:
            return min(self.terms.seconds, left)
        refusal = DeadlinePassedError(service=self.name)
        self._tell(EventKind.REFUSED, refusal, reason=refusal.reason)
        raise refusal

    def stopped(self, limit: float) -> CallTimeoutError:
        """The error for a call that was stopped after ``limit`` seconds."""
        error = CallTimeoutError(self.name, limit)
        self._tell(EventKind.TIMED_OUT, error, limit)
        return error

    def overran(self, limit: float, error: BaseException | None) -> None:
        """A call ended by itself, but after more than ``limit`` seconds."""
        if error is None or isinstance(error, Exception):  # interruptions count as nothing
            self._tell(EventKind.OVERRAN, error, limit)

    def _tell(
        self,
        kind: EventKind,
        error: BaseException | None,
        limit: float | None = None,
        reason: RefusalReason | None = None,
    ) -> None:
        if self.terms.on_event is None:
            return
        fault = None if error is None else classify(error, FaultClass.INFRASTRUCTURE)
        event = PolicyEvent(
            kind,
            "timeout",
            self.name,
            error=error,
            fault_class=fault,
            limit=limit,
            reason=reason,
        )
        announce(self.terms.on_event, event)


def refuse_generators(function: Callable[..., Any], setting: str) -> None:
    """Raise ConfigurationError for a function whose work is done while its caller iterates."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError(
            setting, "a generator runs on in its consumer: guard what is called for one item"
        )


def limited(function: Callable[P, R], terms: TimeoutTerms) -> Callable[P, R]:
    """``function`` within the limit of ``terms``: of the same kind, name and signature."""
    check_function(function)
    refuse_generators(function, "timeout")
    limits = Limits(terms, function)
    wrap = _limited_async if inspect.iscoroutinefunction(function) else _limited_plain
    call = functools.wraps(function)(wrap(function, limits))
    register(call, terms.name, name_of(function))
    return cast("Callable[P, R]", call)


def _limited_async(function: Callable[..., Any], limits: Limits) -> Callable[..., Any]:
    monotonic = limits.terms.clock.monotonic

    async def call(*args: Any, **kwargs: Any) -> Any:
        limit, began = limits.next(), monotonic()
        return await _await_within(limits, limit, began, function(*args, **kwargs))

    return call


def _limited_plain(function: Callable[..., Any], limits: Limits) -> Callable[..., Any]:
    clock = limits.terms.clock
    monotonic = clock.monotonic

    def call(*args: Any, **kwargs: Any) -> Any:
        limit, began = limits.next(), monotonic()
        try:
            with deadline(limit, clock=clock):
                result = function(*args, **kwargs)
        except BaseException as error:  # whatever ended it, it is told if it was late
            if monotonic() - began > limit:
                limits.overran(limit, error)
            raise
        if hasattr(type(result), "__await__"):
            return _await_within(limits, limit, began, result)
        if monotonic() - began > limit:
            limits.overran(limit, None)
        return result

    return call


async def _await_within(limits: Limits, limit: float, began: float, pending: Awaitable[Any]) -> Any:
    """See ``pending`` through until ``limit`` seconds after ``began``; then cancel it.

    What it raises itself is kept apart from what the limit does to it, so that a TimeoutError of
    its own, or a cancellation from outside, is never taken for the limit's doing.
    """
    import asyncio

    clock = limits.terms.clock
    left = max(0.0, began + limit - clock.monotonic())
    outcome = Outcome()
    where: BaseException | None = None
    timed_out = False
    try:
        async with asyncio.timeout(left) as scope:
            with deadline(left, clock=clock):
                try:
                    outcome.value = await pending
                except asyncio.CancelledError:
                    raise
                except BaseException as error:  # raised again below
                    outcome.error = error
    except TimeoutError as expired:
        timed_out, where = True, expired.__cause__
    if timed_out:
        try:
            raise limits.stopped(limit) from where  # the cause shows where the call was waiting
        finally:
            del where
    if scope.expired() or clock.monotonic() - began > limit:
        limits.overran(limit, outcome.error)
    return outcome.unwrap()
