"""Guards of generator functions: a failure can be repeated until the first item is out.

After that nothing is replayed, but the failure still counts with the circuit, and ``send``,
``throw``, ``close`` and the return value reach the generator, and the caller, as they should.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from .drive import advance
from .outcome import Outcome
from .relay import Relay, as_async_generator
from .series import Guarded, series

__all__ = ["async_generator", "generator"]


def generator(guarded: Guarded) -> Callable[..., Generator[Any, Any, Any]]:
    """The guard of a generator function."""
    clock = guarded.clock

    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        steps = series(guarded, args, kwargs)
        outcome: Outcome | None = None
        while True:
            step = advance(steps, outcome)
            if isinstance(step, Outcome):
                return step.unwrap()
            outcome = None
            if isinstance(step, float):
                if step > 0:
                    clock.sleep(step)
                continue
            relay = None
            try:
                relay = Relay(step(*args, **kwargs))
                outcome = Outcome((yield from relay))
            except BaseException as error:  # raised again when the series has judged it
                outcome = Outcome(error=error, replayable=relay is None or not relay.flowed)

    return call


def async_generator(guarded: Guarded) -> Callable[..., AsyncGenerator[Any, Any]]:
    """The guard of an async generator function."""
    clock = guarded.clock

    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        steps = series(guarded, args, kwargs)
        outcome: Outcome | None = None
        while True:
            step = advance(steps, outcome)
            if isinstance(step, Outcome):
                step.unwrap()
                return
            outcome = None
            if isinstance(step, float):
                await clock.async_sleep(step)
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
                outcome = Outcome()
            except BaseException as error:  # raised again when the series has judged it
                outcome = Outcome(error=error, replayable=not flowed)

    return call
