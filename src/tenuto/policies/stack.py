"""``stack(fallback, retry, breaker)``: several policies as one, outermost first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from tenuto.errors import ConfigurationError

from .breaker import CircuitBreaker
from .engine.guard import protect
from .fallback import Fallback
from .members import Policy
from .order import check_order
from .retry import Retry
from .table import table

__all__ = ["Policy", "Stack", "compose", "stack"]

P = ParamSpec("P")
R = TypeVar("R")

# One guard takes a fallback around a retry around a breaker; another order needs several guards.
_FUSED: tuple[tuple[type, str], ...] = (
    (Fallback, "fallback"),
    (Retry, "retry"),
    (CircuitBreaker, "circuit"),
)


@dataclass(frozen=True)
class Stack:
    """Policies as one decorator; ``str()`` shows it in one line, outermost first."""

    policies: tuple[Policy, ...]

    def __str__(self) -> str:
        return " > ".join(map(str, self.policies)) or "no policies"

    def __iter__(self) -> Iterator[Policy]:
        return iter(self.policies)

    def table(self, width: int = 80) -> str:
        """Kind, name, settings and events of each policy, in lines of ``width`` columns."""
        return table(self.policies, width)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        guard: dict[str, Any] = {}
        room = len(_FUSED)
        for policy in reversed(self.policies):
            place, slot = _place(policy)
            if guard and place >= room:
                function = protect(function, **guard)
                guard = {}
            if slot is None:
                function, room = policy(function), len(_FUSED)
                continue
            if isinstance(policy, CircuitBreaker):
                guard[slot] = policy.circuits or policy.circuit
            else:
                guard[slot] = policy
            room = place
        return protect(function, **guard) if guard else function


def stack(*policies: Policy | Stack) -> Stack:
    """Compose ``policies``, outermost first: each guards everything to its right.

    The order nearly everybody wants is ``stack(fallback, retry, breaker, timeout)``: the timeout
    is for each attempt, the breaker sees them all, the retry does not wait for a circuit that is
    open, the fallback has the last word. A stack among them is as if its policies were given.

    Raises ConfigurationError for an order that cannot work; warns of one that seldom does.
    """
    return compose(policies, stacklevel=2)


def compose(policies: Iterable[Policy | Stack], stacklevel: int) -> Stack:
    """``stack`` for who is called by somebody else: warnings are of the line ``stacklevel`` up."""
    flat = [
        policy
        for each in policies
        for policy in (each.policies if isinstance(each, Stack) else (each,))
    ]
    if not flat:
        raise ConfigurationError("stack", "give at least one policy")
    check_order(flat, stacklevel + 1)
    return Stack(tuple(flat))


def _place(policy: Policy) -> tuple[int, str | None]:
    """Where in a guard ``policy`` goes; nowhere, if it wraps by itself."""
    for place, (kind, slot) in enumerate(_FUSED):
        if isinstance(policy, kind):
            return place, slot
    return len(_FUSED), None
