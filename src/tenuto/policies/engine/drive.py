"""Who makes the calls and spends the waits that steps ask for: one driver per kind."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Any

from tenuto.clock import Clock

from .outcome import Outcome
from .parking import Park
from .steps import Steps, advance

__all__ = ["drive", "drive_async", "pause", "pause_async", "settle"]


def drive(steps: Steps, clock: Clock, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Outcome:
    """For plain functions. Where a call returns an awaitable, the rest of the steps do too."""
    outcome: Outcome | None = None
    handed_on = False
    try:
        while True:
            step = advance(steps, outcome)
            if isinstance(step, Outcome):
                return step
            outcome = None
            if isinstance(step, (float, Park)):
                pause(step, clock)
                continue
            try:
                value = step(*args, **kwargs)
            except BaseException as error:  # raised again by whoever unwraps the outcome
                outcome = Outcome(error=error)
            else:
                if hasattr(type(value), "__await__"):
                    handed_on = True
                    return Outcome(_resume(steps, clock, args, kwargs, value))
                outcome = Outcome(value)
    finally:
        if not handed_on:
            steps.close()  # an interruption during a wait gives back what is held, here and now


async def drive_async(
    steps: Steps,
    clock: Clock,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    pending: Awaitable[Any] | None = None,
) -> Outcome:
    """For functions whose calls are awaited. ``pending`` is a call that is under way already."""
    outcome = None if pending is None else await settle(pending)
    try:
        while True:
            step = advance(steps, outcome)
            if isinstance(step, Outcome):
                return step
            outcome = None
            if isinstance(step, (float, Park)):
                await pause_async(step, clock)
                continue
            try:
                value = step(*args, **kwargs)
                # A substitute may be a plain function.
                outcome = Outcome(await value if hasattr(type(value), "__await__") else value)
            except BaseException as error:  # raised again by whoever unwraps the outcome
                outcome = Outcome(error=error)
    finally:
        steps.close()  # a cancellation during a wait gives back what is held, here and now


def pause(step: float | Park, clock: Clock) -> None:
    """Spend the wait in this thread."""
    if isinstance(step, Park):
        woken = threading.Event()
        step.waiter.wake_by(woken.set)
        clock.wait(woken, step.seconds)
    elif step > 0:
        clock.sleep(step)


async def pause_async(step: float | Park, clock: Clock) -> None:
    """Spend the wait in this task."""
    if not isinstance(step, Park):
        await clock.async_sleep(step)
        return
    import asyncio

    loop = asyncio.get_running_loop()
    woken = asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(woken.set)

    step.waiter.wake_by(wake)
    # Whoever parked the call looks for itself whether the place was granted.
    with suppress(TimeoutError):
        async with asyncio.timeout(step.seconds):
            await woken.wait()


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
