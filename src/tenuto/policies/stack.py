"""``stack(fallback, retry, breaker)``: several policies as one, outermost first."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ParamSpec, TypeAlias, TypeVar

from tenuto.errors import ConfigurationError

from .breaker import CircuitBreaker
from .engine.guard import protect
from .fallback import Fallback
from .retry import Retry

__all__ = ["Policy", "Stack", "stack"]

P = ParamSpec("P")
R = TypeVar("R")

Policy: TypeAlias = Fallback | Retry | CircuitBreaker

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
        return " > ".join(map(str, self.policies))

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        guard: dict[str, Any] = {}
        room = len(_FUSED)
        for policy in reversed(self.policies):
            place, slot = _place(policy)
            if place >= room:
                function = protect(function, **guard)
                guard = {}
            guard[slot] = policy.circuit if isinstance(policy, CircuitBreaker) else policy
            room = place
        return protect(function, **guard)


def stack(*policies: Policy) -> Stack:
    """Compose ``policies``, outermost first: each guards everything to its right.

    The order nearly everybody wants is ``stack(fallback, retry, breaker)``: the breaker sees every
    attempt, the retry does not wait for a circuit that is open, the fallback has the last word.

    Raises ConfigurationError for an order that cannot work; warns of one that seldom does.
    """
    if not policies:
        raise ConfigurationError("stack", "give at least one policy")
    for policy in policies:
        _place(policy)
    if sum(isinstance(policy, Retry) for policy in policies) > 1:
        raise ConfigurationError(
            "stack", "it holds two retries, whose attempts would multiply: keep one"
        )
    for outer, inner in pairwise(policies):
        _check(outer, inner)
    return Stack(policies)


def _place(policy: Policy) -> tuple[int, str]:
    for place, (kind, slot) in enumerate(_FUSED):
        if isinstance(policy, kind):
            return place, slot
    raise ConfigurationError("stack", f"{policy!r} is not a policy")


def _check(outer: Policy, inner: Policy) -> None:
    if isinstance(inner, Fallback) and inner.exceptions is None:
        raise ConfigurationError(
            "stack",
            f"{inner} hides every failure from {outer} around it: put it first, or say by "
            "exceptions= which errors are its own",
        )
    if isinstance(outer, CircuitBreaker) and isinstance(inner, Retry):
        warnings.warn(
            f"{outer} around {inner} sees one failure for many calls, and holds its permit "
            "through the waits: put the retry first",
            stacklevel=3,
        )
