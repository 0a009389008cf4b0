"""Where the happy path leads when it ends: the same three ways for plain and for awaited calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from tenuto.machines import Breaker, Permit

from .drive import drive, drive_async, is_awaitable, settle
from .outcome import Outcome
from .progress import Progress
from .promised import Promised
from .series import Guarded, series

__all__ = ["SlowPath"]

Args: TypeAlias = tuple[Any, ...]
Kwargs: TypeAlias = Mapping[str, Any]


class SlowPath:
    """What a happy path needs to know of its guard, and calls when it cannot go on.

    ``permit`` is what the first attempt was made under, None where there is no circuit, and
    ``before`` is ``giving_up.count`` from before it.
    """

    __slots__ = (
        "_clock",
        "_heir",
        "_known",
        "_renew",
        "earned",
        "guarded",
        "returns_awaitables",
        "substitute",
    )

    def __init__(
        self,
        guarded: Guarded,
        substitute: Callable[..., Any] | None,
        renew: Callable[..., Callable[..., Any]],
        *,
        returns_awaitables: bool = False,
    ) -> None:
        self.guarded = guarded
        self._renew = renew
        self._known = None if guarded.circuit is None else guarded.circuit.machine
        self._heir: tuple[Breaker, Callable[..., Any]] | None = None
        self.substitute = substitute
        """Answers refused calls at once, where nobody needs to hear of the refusal."""
        retry = guarded.retry
        self.earned = None if retry is None or retry.budget is None else retry.budget.tally
        """Where calls that go well earn what retries will cost."""
        self._clock = guarded.clock
        self.returns_awaitables = returns_awaitables
        """Whether a plain function was seen to: its waits must not block an event loop."""

    def start(self, args: Args, kwargs: Kwargs) -> Any:
        """Make the whole call here."""
        if (heir := self._successor()) is not None:
            return heir(*args, **kwargs)
        if self.returns_awaitables:
            return self.start_async(args, kwargs)
        return drive(series(self.guarded, args, kwargs), self._clock, args, kwargs).unwrap()

    async def start_async(self, args: Args, kwargs: Kwargs) -> Any:
        if (heir := self._successor()) is not None:
            result = heir(*args, **kwargs)
            return await result if is_awaitable(result) else result
        steps = series(self.guarded, args, kwargs)
        return (await drive_async(steps, self._clock, args, kwargs)).unwrap()

    def _successor(self) -> Callable[..., Any] | None:
        """The happy path for what the circuit is like now, if this is not that any more."""
        circuit = self.guarded.circuit
        if circuit is None or (machine := circuit.machine) is self._known:
            return None
        if self._heir is None or self._heir[0] is not machine:
            path = self._renew(self.guarded, returns_awaitables=self.returns_awaitables)
            self._heir = machine, path
        return self._heir[1]

    def go_on(
        self,
        outcome: Outcome,
        permit: Permit | None,
        before: int,
        args: Args,
        kwargs: Kwargs,
        flight: int | None = None,
    ) -> Any:
        """Go on after a first attempt that failed, or was slow."""
        if self.returns_awaitables:
            return self.go_on_async(outcome, permit, before, args, kwargs, flight)
        if permit is not None:
            self._settle(permit, outcome, flight)
        guarded = self.guarded
        if guarded.retry is not None and guarded.circuit is None and guarded.fallback is None:
            call = (guarded.function, args, kwargs)
            name = guarded.retry.name or guarded.name
            return self._repeat(
                Progress(guarded.retry, name, call, before, begun=True), outcome, args, kwargs
            )
        steps = series(guarded, args, kwargs, outcome, before)
        return drive(steps, self._clock, args, kwargs).unwrap()

    def _repeat(self, progress: Progress, outcome: Outcome, args: Args, kwargs: Kwargs) -> Any:
        """What ``series`` and ``drive`` do for a retry that stands alone, without the talk."""
        function = self.guarded.function
        while (wait := progress.judge(outcome)) is not None:
            outcome.error = None
            if wait > 0.0:
                self._clock.sleep(wait)
            progress.begin_again()
            try:
                value = function(*args, **kwargs)
            except BaseException as error:  # raised again by ``unwrap``, if it is final
                outcome.error = error
            else:
                if is_awaitable(value):
                    self.returns_awaitables = True
                    return self._repeat_awaiting(progress, value, args, kwargs)
                progress.succeed()  # rules that judge results are not met on this way
                return value
        return outcome.unwrap()

    async def _repeat_awaiting(
        self, progress: Progress, result: Awaitable[Any], args: Args, kwargs: Kwargs
    ) -> Any:
        outcome = await settle(result)
        if outcome.error is None:
            progress.succeed()
            return outcome.value
        return await self._repeat_async(progress, outcome, args, kwargs)

    async def go_on_async(
        self,
        outcome: Outcome,
        permit: Permit | None,
        before: int,
        args: Args,
        kwargs: Kwargs,
        flight: int | None = None,
    ) -> Any:
        if permit is not None:
            self._settle(permit, outcome, flight)
        guarded = self.guarded
        if guarded.retry is not None and guarded.circuit is None and guarded.fallback is None:
            call = (guarded.function, args, kwargs)
            name = guarded.retry.name or guarded.name
            return await self._repeat_async(
                Progress(guarded.retry, name, call, before, begun=True), outcome, args, kwargs
            )
        steps = series(guarded, args, kwargs, outcome, before)
        return (await drive_async(steps, self._clock, args, kwargs)).unwrap()

    async def _repeat_async(
        self, progress: Progress, outcome: Outcome, args: Args, kwargs: Kwargs
    ) -> Any:
        """The same as ``_repeat``, awaited."""
        function, sleep = self.guarded.function, self._clock.async_sleep
        while (wait := progress.judge(outcome)) is not None:
            outcome.error = None
            await sleep(wait)
            progress.begin_again()
            try:
                value = function(*args, **kwargs)
                if is_awaitable(value):
                    value = await value
            except BaseException as error:  # raised again by ``unwrap``, if it is final
                outcome.error = error
            else:
                progress.succeed()  # rules that judge results are not met on this way
                return value
        return outcome.unwrap()

    def go_on_awaiting(
        self,
        result: Awaitable[Any],
        permit: Permit | None,
        before: int,
        args: Args,
        kwargs: Kwargs,
        flight: int | None = None,
    ) -> Awaitable[Any]:
        """Go on with a plain function that turned out to return awaitables."""
        self.returns_awaitables = True
        pending = self._await_and_go_on(result, permit, before, args, kwargs, flight)
        if permit is None or flight is None:  # a tally minds nobody who never comes back
            return pending
        return Promised(pending, partial(self._settle, permit, None, flight))

    async def _await_and_go_on(
        self,
        result: Awaitable[Any],
        permit: Permit | None,
        before: int,
        args: Args,
        kwargs: Kwargs,
        flight: int | None,
    ) -> Any:
        outcome = await settle(result)
        return await self.go_on_async(outcome, permit, before, args, kwargs, flight)

    def _settle(self, permit: Permit, outcome: Outcome | None, flight: int | None) -> None:
        assert self.guarded.circuit is not None
        self.guarded.circuit.settle(permit, outcome, self.guarded.name, flight)
