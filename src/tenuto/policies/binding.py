"""Policies taken into a handler's service: what they leave open, it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from tenuto.clock import SYSTEM_CLOCK, Clock

from .breaker import CircuitBreaker
from .engine.registry import register
from .events import Listener
from .reconfiguring import is_stateless

__all__ = ["bind"]

T = TypeVar("T")


def bind(
    policy: T,
    *,
    name: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
    on_event: Listener | None = None,
) -> T:
    """``policy`` with a name, a clock and a listener, where it has none of its own.

    A policy that shares state among its calls stays the same object, so that whoever holds it goes
    on seeing what it counts. Any other is left as it is, and a copy is bound.
    """
    offered = {"name": (None, name), "on_event": (None, on_event), "clock": (SYSTEM_CLOCK, clock)}
    taken: dict[str, Any] = {
        field: value
        for field, (unsaid, value) in offered.items()
        if value is not unsaid and getattr(policy, field, value) is unsaid
    }
    if is_stateless(policy):
        return replace(policy, **taken) if taken else policy  # type: ignore[type-var]
    for field, value in taken.items():
        object.__setattr__(policy, field, value)
    if "clock" in taken:
        policy.__post_init__()  # type: ignore[attr-defined]  # its state has a hold of the old one
    elif isinstance(policy, CircuitBreaker):
        register(policy.circuit, policy.name)
    return policy
