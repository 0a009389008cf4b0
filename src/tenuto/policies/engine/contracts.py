"""What the engine needs to know of the policies, and all it knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from tenuto.clock import Clock
from tenuto.errors import FaultClass
from tenuto.machines import BreakerSettings
from tenuto.policies.events import Listener

__all__ = ["CircuitTerms", "FallbackTerms", "RetryTerms", "Rule"]

Rule = Callable[[Any], bool]
"""A yes or no by how the call has gone so far. tenacity's stops and predicates are such rules."""


class FallbackTerms(Protocol):
    """What stands in for which errors."""

    @property
    def function(self) -> Callable[..., Any]: ...
    @property
    def quick(self) -> Callable[..., Any] | None:
        """``function``, where nobody has to look at the error first, or be told."""
        ...

    def covers(self, error: BaseException, /) -> bool: ...
    def announce(self, error: BaseException, name: str, /) -> None: ...


class CircuitTerms(Protocol):
    """When a circuit opens, and what that means to its calls."""

    @property
    def name(self) -> str | None: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def on_event(self) -> Listener | None: ...
    @property
    def settings(self) -> BreakerSettings: ...
    @property
    def matches(self) -> Callable[[BaseException], bool] | None: ...
    @property
    def fallback(self) -> Callable[..., Any] | None: ...


class RetryTerms(Protocol):
    """What is repeated, how often, and after which waits."""

    @property
    def name(self) -> str | None: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def on_event(self) -> Listener | None: ...
    @property
    def calls(self) -> int | None: ...
    @property
    def stop(self) -> Rule | None: ...
    @property
    def retry(self) -> Rule | None: ...
    @property
    def waits(self) -> Callable[[Any], float]: ...
    @property
    def deadline(self) -> float | None: ...
    @property
    def timed(self) -> bool: ...
    @property
    def judges_results(self) -> bool: ...
    @property
    def shuns_refusals(self) -> bool: ...
    @property
    def repeat_given_up(self) -> bool: ...
    def matches(self, error: BaseException, fault: FaultClass | None, /) -> bool: ...
