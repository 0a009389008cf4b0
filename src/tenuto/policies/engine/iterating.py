"""Guards of generator functions: a failure can be repeated until the first item is out.

After that nothing is replayed, but the failure still counts with the circuit, and ``send``,
``throw``, ``close`` and the return value reach the generator, and the caller, as they should.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import Any, TypeAlias

from tenuto.clock import Clock

from .drive import pause, pause_async
from .outcome import Outcome
from .parking import Park
from .relay import Relay, as_async_generator
from .steps import Steps, advance

__all__ = ["async_generator", "generator"]

Begin: TypeAlias = Callable[[tuple[Any, ...], Mapping[str, Any]], Steps]
"""What makes the steps of one call from its arguments."""


def generator(begin: Begin, clock: Clock) -> Callable[..., Generator[Any, Any, Any]]:
    """The guard of a generator function."""

    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        steps = begin(args, kwargs)
        outcome: Outcome | None = None
        try:
            while True:
                step = advance(steps, outcome)
                if isinstance(step, Outcome):
                    return step.unwrap()
                outcome = None
                if isinstance(step, (float, Park)):
                    pause(step, clock)
                    continue
                relay = None
                try:
                    relay = Relay(step(*args, **kwargs))
                    result = yield from relay
                    outcome = Outcome(result, replayable=not relay.flowed)
                except BaseException as error:  # raised again when the series has judged it
                    outcome = Outcome(error=error, replayable=relay is None or not relay.flowed)
        finally:
            steps.close()  # an interruption during a wait gives back what is held, here and now

    return call


def async_generator(begin: Begin, clock: Clock) -> Callable[..., AsyncGenerator[Any, Any]]:
    """The guard of an async generator function."""

    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        steps = begin(args, kwargs)
        outcome: Outcome | None = None
        try:
            while True:
                step = advance(steps, outcome)
                if isinstance(step, Outcome):
                    step.unwrap()
                    return
                outcome = None
                if isinstance(step, (float, Park)):
                    await pause_async(step, clock)
                    continue
                flowed = False
                try:
                    source = as_async_generator(step(*args, **kwargs))
                    item = await anext(source)
                    while True:
                        flowed = True
                        try:
                            sent = yield item
                        except BaseException as thrown:  # by the consumer, and meant for the source
                            item = await source.athrow(thrown)
                        else:
                            item = await source.asend(sent)
                except StopAsyncIteration:
                    outcome = Outcome(replayable=not flowed)
                except BaseException as error:  # raised again when the series has judged it
                    outcome = Outcome(error=error, replayable=not flowed)
        finally:
            steps.close()  # an interruption during a wait gives back what is held, here and now

    return call
