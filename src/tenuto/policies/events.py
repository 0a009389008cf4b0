"""What policies tell about themselves, and how listeners are called without harm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from tenuto.errors import FaultClass, RefusalReason
from tenuto.machines import State

__all__ = [
    "Attempt",
    "EventKind",
    "HookFailures",
    "Listener",
    "PolicyEvent",
    "StopReason",
    "announce",
    "hook_failed",
    "hook_failures",
]


class EventKind(StrEnum):
    """What happened."""

    RETRIED = "retried"
    """An attempt failed and will be repeated after ``wait`` seconds."""
    RECOVERED = "recovered"
    """A call succeeded that had failed before."""
    GAVE_UP = "gave_up"
    """A retry ended without success, for ``reason``."""
    TRIPPED = "tripped"
    """A circuit opened, for ``wait`` seconds (None: until somebody closes it)."""
    PROBING = "probing"
    """A circuit's open time is up; calls try whether the dependency answers."""
    CLOSED = "closed"
    """A circuit closed."""
    REFUSED = "refused"
    """A policy let a call not through, for ``reason``. ``wait`` tells when to come back, if
    known."""
    DELAYED = "delayed"
    """A call is early, and waits ``wait`` seconds for its turn."""
    SUPPRESSED = "suppressed"
    """A retry was worth making, but its budget is used up."""
    TIMED_OUT = "timed_out"
    """A call was stopped after ``limit`` seconds."""
    OVERRAN = "overran"
    """A call that could not be stopped took longer than ``limit`` seconds."""
    HEDGED = "hedged"
    """There was no answer for ``wait`` seconds, and another copy of the call was started."""
    LIMIT_CHANGED = "limit_changed"
    """An adaptive limit is now ``limit`` calls at once."""
    FELL_BACK = "fell_back"
    """A fallback stood in for a call that failed."""


class StopReason(StrEnum):
    """Why a retry ended without success."""

    ATTEMPTS = "attempts exhausted"
    CONDITION = "stop condition met"
    DEADLINE = "the next wait would pass the deadline"
    HINT_TOO_LONG = "the server asks for a longer wait than is allowed"
    NOT_RETRYABLE = "not a fault that repeating can cure"
    GIVEN_UP_INSIDE = "an inner retry gave up on it before"
    REFUSED = "refused by another policy"
    BUDGET = "the retry budget is used up"
    ITEMS_FLOWED = "items had been handed out already"
    BROKEN_RULE = "a rule of the retry failed itself"


class Attempt(NamedTuple):
    """One failed attempt. Times are in seconds."""

    number: int
    fault_class: FaultClass | None
    """None where the attempt returned a result that the policy does not accept."""
    wait: float | None
    """The pause after it; None after the last one."""
    duration: float | None
    """None where the attempt was not timed: a first attempt is not, unless a rule needs it."""


@dataclass(frozen=True, slots=True)
class PolicyEvent:
    """Something a policy did. Fields that say nothing about it are None."""

    kind: EventKind
    policy: str
    """The kind of policy: ``retry``, ``breaker``, ``bulkhead``, …."""
    name: str
    """The policy's own name, or that of the function it guards."""
    error: BaseException | None = None
    """The live exception, until the listener returns; after that, None. Nothing live is kept."""
    fault_class: FaultClass | None = None
    attempt: int | None = None
    wait: float | None = None
    reason: StopReason | RefusalReason | None = None
    history: tuple[Attempt, ...] = ()
    state: State | None = None
    before: State | None = None
    """The state that a circuit left."""
    limit: float | None = None
    """In seconds or calls, as ``kind`` says."""
    shadow: bool = False
    """Whether the policy only measures, so that nothing came of this."""
    memory: Mapping[str, Any] | None = None
    """What a circuit has to know to go on in another process."""


Listener: TypeAlias = Callable[[PolicyEvent], object]


@dataclass(frozen=True, slots=True)
class HookFailures:
    """How often user code that policies call for advice or news raised, and what it said last."""

    count: int = 0
    last: str | None = None


_failures = HookFailures()
_failures_lock = threading.RLock()  # re-entrant: a finalizer may run, and fail, while it is held
_listening = threading.local()


def hook_failures() -> HookFailures:
    """The failures of listeners and rules in this process so far."""
    return _failures


def hook_failed(error: BaseException) -> None:
    """Count a failure of user code that must not reach the guarded call."""
    global _failures  # noqa: PLW0603  # one frozen record, replaced as a whole
    with _failures_lock:
        _failures = HookFailures(_failures.count + 1, f"{type(error).__name__}: {error}"[:200])


def announce(listener: Listener, event: PolicyEvent) -> None:
    """Call ``listener``; its errors are counted, not raised.

    A listener that comes back here, because it uses a guarded function itself, is not told of
    its own doings: that might never end.
    """
    if getattr(_listening, "now", False):
        return
    _listening.now = True
    try:
        listener(event)
    except Exception as error:  # a listener's bug is no business of the guarded call
        hook_failed(error)
    finally:
        _listening.now = False
        object.__setattr__(event, "error", None)
