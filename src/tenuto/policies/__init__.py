"""Policies around a function: retry, circuit breaker, fallback, deadlines, and stacks of them.

A policy is immutable configuration, and a decorator for every kind of function.
"""

from tenuto.machines import State

from .backoff import Backoff
from .breaker import CircuitBreaker
from .deadline import deadline, time_left
from .engine.progress import Progress, ResultRejectedError
from .events import (
    Attempt,
    EventKind,
    HookFailures,
    Listener,
    PolicyEvent,
    StopReason,
    hook_failures,
)
from .fallback import Fallback
from .retry import Retry
from .stack import Policy, Stack, stack

__all__ = [
    "Attempt",
    "Backoff",
    "CircuitBreaker",
    "EventKind",
    "Fallback",
    "HookFailures",
    "Listener",
    "Policy",
    "PolicyEvent",
    "Progress",
    "ResultRejectedError",
    "Retry",
    "Stack",
    "State",
    "StopReason",
    "deadline",
    "hook_failures",
    "stack",
    "time_left",
]
