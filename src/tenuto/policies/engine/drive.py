"""Who makes the calls and spends the waits that steps ask for: one driver per kind."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Generator, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from tenuto.clock import Clock

from .outcome import Outcome
from .parking import Park
from .promised import Promised
from .steps import Step, Steps, advance

__all__ = ["drive", "drive_async", "finish", "is_awaitable", "pause", "pause_async", "settle"]

R = TypeVar("R")

# Finding that a type lacks an attribute takes as long as a call does.
_PLAIN = frozenset({type(None), bool, bytes, dict, float, int, list, str, tuple})


def drive(steps: Steps, clock: Clock, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Outcome:
    """For plain functions. Where a call returns an awaitable, the rest of the steps do too."""
    outcome: Outcome | None = None
    over = False  # or handed on
    send = steps.send  # and not ``advance``: what fails a few times would pay for the call
    try:
        while True:
            try:
                step = send(outcome)
            except StopIteration as end:
                over = True
                return end.value  # type: ignore[no-any-return]
            outcome = None
            if not callable(step):
                if step != 0.0:
                    pause(step, clock)
                continue
            try:
                value = step(*args, **kwargs)
            except BaseException as error:  # raised again by whoever unwraps the outcome
                outcome = Outcome(None, error)
            else:
                if is_awaitable(value):
                    over = True
                    rest = _resume(steps, clock, args, kwargs, value)
                    return Outcome(Promised(rest, steps.close))
                outcome = Outcome(value)
    finally:
        if not over:
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


def finish(steps: Generator[Step, Outcome | None, R], clock: Clock) -> R:
    """What ``steps`` come to, which want nothing done but to wait, in this thread."""
    try:
        while True:
            step = next(steps)
            assert not callable(step)
            pause(step, clock)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        steps.close()


def is_awaitable(value: object) -> bool:
    """Whether what a plain function returned has to be awaited yet."""
    return type(value) not in _PLAIN and hasattr(type(value), "__await__")


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
