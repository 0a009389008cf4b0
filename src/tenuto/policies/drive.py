"""Who makes the calls and spends the waits that a series asks for: one driver per kind."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Mapping
from typing import Any, TypeAlias

from tenuto.clock import Clock

from .outcome import Outcome
from .series import Step

__all__ = ["Steps", "advance", "drive", "drive_async", "settle"]

Steps: TypeAlias = Generator[Step, Outcome | None, Outcome]


def advance(steps: Steps, outcome: Outcome | None) -> Step | Outcome:
    """What ``steps`` want next; the outcome they end with, when they end."""
    try:
        return steps.send(outcome)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def drive(steps: Steps, clock: Clock, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Outcome:
    """For plain functions. Where a call returns an awaitable, the rest of the series does too."""
    outcome: Outcome | None = None
    while True:
        step = advance(steps, outcome)
        if isinstance(step, Outcome):
            return step
        outcome = None
        if isinstance(step, float):
            if step > 0:
                clock.sleep(step)
            continue
        try:
            value = step(*args, **kwargs)
        except BaseException as error:  # raised again by whoever unwraps the outcome
            outcome = Outcome(error=error)
        else:
            if hasattr(type(value), "__await__"):
                return Outcome(_resume(steps, clock, args, kwargs, value))
            outcome = Outcome(value)


async def drive_async(
    steps: Steps,
    clock: Clock,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    pending: Awaitable[Any] | None = None,
) -> Outcome:
    """For functions whose calls are awaited. ``pending`` is a call that is under way already."""
    outcome = None if pending is None else await settle(pending)
    while True:
        step = advance(steps, outcome)
        if isinstance(step, Outcome):
            return step
        outcome = None
        if isinstance(step, float):
            await clock.async_sleep(step)
            continue
        try:
            value = step(*args, **kwargs)
            # A substitute may be a plain function.
            outcome = Outcome(await value if hasattr(type(value), "__await__") else value)
        except BaseException as error:  # raised again by whoever unwraps the outcome
            outcome = Outcome(error=error)


async def settle(pending: Awaitable[Any]) -> Outcome:
    """How ``pending`` ends."""
    try:
        return Outcome(await pending)
    except BaseException as error:  # raised again by whoever unwraps the outcome
        return Outcome(error=error)


async def _resume(
    steps: Steps,
    clock: Clock,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    pending: Awaitable[Any],
) -> Any:
    return (await drive_async(steps, clock, args, kwargs, pending)).unwrap()
