"""Policies around a function: retry, circuit breaker, fallback, deadlines, and stacks of them.

A policy is immutable configuration, and a decorator for every kind of function.
"""

from tenuto.machines import State

from .backoff import Backoff
from .breaker import CircuitBreaker
from .budget import RetryBudget
from .bulkhead import Bulkhead
from .concurrency import ConcurrencyLimit
from .deadline import deadline, time_left
from .engine.contracts import Call
from .engine.memory import CircuitMemory
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
from .hedge import Hedge
from .hints import server_hint
from .rate import RateLimit
from .retry import Retry
from .retrying import Trial
from .shedding import LoadShedding, Priority, priority
from .stack import Policy, Stack, stack
from .timeout import DeadlinePassedError, ProcessDiedError, Timeout

__all__ = [
    "Attempt",
    "Backoff",
    "Bulkhead",
    "Call",
    "CircuitBreaker",
    "CircuitMemory",
    "ConcurrencyLimit",
    "DeadlinePassedError",
    "EventKind",
    "Fallback",
    "Hedge",
    "HookFailures",
    "Listener",
    "LoadShedding",
    "Policy",
    "PolicyEvent",
    "Priority",
    "ProcessDiedError",
    "Progress",
    "RateLimit",
    "ResultRejectedError",
    "Retry",
    "RetryBudget",
    "Stack",
    "State",
    "StopReason",
    "Timeout",
    "Trial",
    "deadline",
    "hook_failures",
    "priority",
    "server_hint",
    "stack",
    "time_left",
]
