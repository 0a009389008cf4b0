"""Where the happy path leads when it ends: the same three ways for plain and for awaited calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from tenuto.machines import Permit

from .drive import drive, drive_async, settle
from .outcome import Outcome
from .series import Guarded, series

__all__ = ["SlowPath"]

Args: TypeAlias = tuple[Any, ...]
Kwargs: TypeAlias = Mapping[str, Any]


class SlowPath:
    """What a happy path needs to know of its guard, and calls when it cannot go on.

    ``permit`` is what the first attempt was made under, None where there is no circuit, and
    ``before`` is ``giving_up.count`` from before it.
    """

    __slots__ = ("_clock", "guarded", "returns_awaitables", "substitute")

    def __init__(self, guarded: Guarded, substitute: Callable[..., Any] | None) -> None:
        self.guarded = guarded
        self.substitute = substitute
        """Answers refused calls at once, where nobody needs to hear of the refusal."""
        self._clock = guarded.clock
        self.returns_awaitables = False
        """Whether a plain function was seen to: its waits must not block an event loop."""

    def start(self, args: Args, kwargs: Kwargs) -> Any:
        """Make the whole call here."""
        if self.returns_awaitables:
            return self.start_async(args, kwargs)
        return drive(series(self.guarded, args, kwargs), self._clock, args, kwargs).unwrap()

    async def start_async(self, args: Args, kwargs: Kwargs) -> Any:
        steps = series(self.guarded, args, kwargs)
        return (await drive_async(steps, self._clock, args, kwargs)).unwrap()

    def go_on(
        self, outcome: Outcome, permit: Permit | None, before: int, args: Args, kwargs: Kwargs
    ) -> Any:
        """Go on after a first attempt that failed."""
        if self.returns_awaitables:
            return self.go_on_async(outcome, permit, before, args, kwargs)
        self._settle(permit, outcome)
        steps = series(self.guarded, args, kwargs, outcome, before)
        return drive(steps, self._clock, args, kwargs).unwrap()

    async def go_on_async(
        self, outcome: Outcome, permit: Permit | None, before: int, args: Args, kwargs: Kwargs
    ) -> Any:
        self._settle(permit, outcome)
        steps = series(self.guarded, args, kwargs, outcome, before)
        return (await drive_async(steps, self._clock, args, kwargs)).unwrap()

    def go_on_awaiting(
        self, result: Awaitable[Any], permit: Permit | None, before: int, args: Args, kwargs: Kwargs
    ) -> Awaitable[Any]:
        """Go on with a plain function that turned out to return awaitables."""
        self.returns_awaitables = True
        return self._await_and_go_on(result, permit, before, args, kwargs)

    async def _await_and_go_on(
        self, result: Awaitable[Any], permit: Permit | None, before: int, args: Args, kwargs: Kwargs
    ) -> Any:
        outcome = await settle(result)
        return await self.go_on_async(outcome, permit, before, args, kwargs)

    def _settle(self, permit: Permit | None, outcome: Outcome) -> None:
        if permit is not None and self.guarded.circuit is not None:
            self.guarded.circuit.settle(permit, outcome, self.guarded.name)
