"""What the engine needs to know of the policies, and all it knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from tenuto.clock import Clock
from tenuto.errors import FaultClass
from tenuto.machines import BreakerSettings, Tally
from tenuto.policies.events import Listener
from tenuto.state import State

__all__ = ["BudgetTerms", "Call", "CircuitTerms", "FallbackTerms", "RetryTerms", "Rule"]

Rule = Callable[[Any], bool]
"""A yes or no by how the call has gone so far. tenacity's stops and predicates are such rules."""


class Call(NamedTuple):
    """One call of a guarded function, for rules that look at what it is about."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


class FallbackTerms(Protocol):
    """What stands in for which errors."""

    @property
    def function(self) -> Callable[..., Any]: ...
    @property
    def links(self) -> Sequence[FallbackTerms]:
        """This one, and those to be tried after it."""
        ...

    @property
    def quick(self) -> Callable[..., Any] | None:
        """``function``, where nobody has to look at any error first, or be told."""
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
    @property
    def slow_after(self) -> float | Callable[[Call], float] | None: ...
    @property
    def shadow(self) -> bool: ...
    @property
    def fleet(self) -> State | None:
        """Where the circuit is shared with those of other processes that have its name."""
        ...

    @property
    def quorum(self) -> float:
        """How many nodes have to trip to open it for all; below 1, which share of them."""
        ...


class BudgetTerms(Protocol):
    """What retries may cost, and what calls that go well earn."""

    @property
    def tally(self) -> Tally: ...
    def spend(self, error: BaseException | None, fault: FaultClass | None, /) -> bool: ...


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
    @property
    def hints(self) -> Callable[[BaseException], float | None] | None:
        """Seconds to wait, as whoever must know said with the error. Never raises."""
        ...

    @property
    def max_hint(self) -> float: ...
    @property
    def budget(self) -> BudgetTerms | None: ...
    @property
    def raise_as(self) -> type[Exception] | None: ...
    @property
    def rules(self) -> Callable[[BaseException, FaultClass | None], RetryTerms | None] | None:
        """What finds the terms that an error goes by in place of these, if there are any."""
        ...

    @property
    def matches(self) -> Callable[[BaseException], bool] | None:
        """Which errors are repeated; None: what is classified as infrastructure."""
        ...
