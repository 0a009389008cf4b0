"""What a policy raises in place of a call that it does not let through, or stops.

A refusal says who refused, why, and when to come back. Nothing was reached, so a refusal is never
a failure of the dependency, however many layers it passes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from .faults import FaultClass
from .hierarchy import ExternalServiceError, ResourceLimitError, TenutoError

__all__ = [
    "BulkheadFullError",
    "CallTimeoutError",
    "CircuitOpenError",
    "ConcurrencyLimitError",
    "LoadShedError",
    "RateLimitedError",
    "RefusalReason",
    "RefusedError",
]


class RefusalReason(StrEnum):
    """Why a policy let a call not through."""

    CIRCUIT_OPEN = "the circuit is open"
    QUEUE_FULL = "all places are taken, and so is the queue"
    QUEUE_TIMEOUT = "no place was free in time"
    RATE = "too many calls in too short a time"
    DEADLINE = "the deadline around it has passed"
    SHED = "overload, and other calls matter more"


class RefusedError(TenutoError):
    """A policy refused the call; what it guards was not called.

    ``policy`` is the kind of policy, ``service`` its name, ``reason`` a ``RefusalReason``, and
    ``retry_after`` the seconds until it is worth coming back; None where nobody can say.
    """

    fields: ClassVar[tuple[str, ...]] = ("policy", "service", "reason", "retry_after")
    policy: str | None = None
    service: str | None = None
    reason: RefusalReason | None = None
    retry_after: float | None = None

    passes_soon: ClassVar[bool] = False
    """Whether waiting for ``retry_after`` is all it takes, so that a retry does."""

    def describe(self) -> str:
        what = f"{self.service or 'the call'} was not called"
        why = f": {self.reason.value}" if isinstance(self.reason, RefusalReason) else ""
        back = "" if self.retry_after is None else f"; come back in {self.retry_after:.3g} s"
        return f"{what}{why}{back}"


class CircuitOpenError(RefusedError, ExternalServiceError):
    """A circuit breaker refused the call; the service was not called.

    ``service`` is the breaker's name, ``retry_after`` the seconds until it lets a call through,
    ``open_for`` the seconds it has been open and ``since`` when that began, in seconds since 1970
    UTC, ``last_fault`` a summary of what tripped it.
    """

    fields: ClassVar[tuple[str, ...]] = ("service", "retry_after")
    policy: str | None = "breaker"
    reason: RefusalReason | None = RefusalReason.CIRCUIT_OPEN
    open_for: float | None = None
    since: float | None = None
    last_fault: str | None = None


class BulkheadFullError(RefusedError, ResourceLimitError):
    """A bulkhead has no place for the call, and none in its queue, or none in time."""

    policy: str | None = "bulkhead"


class ConcurrencyLimitError(RefusedError, ResourceLimitError):
    """More calls are under way than an adaptive limit allows just now."""

    policy: str | None = "concurrency limit"


class RateLimitedError(RefusedError):
    """A rate limit has no room for the call before ``retry_after`` seconds have passed."""

    fault_class = FaultClass.INFRASTRUCTURE
    passes_soon = True
    policy: str | None = "rate limit"
    reason: RefusalReason | None = RefusalReason.RATE


class LoadShedError(RefusedError, ResourceLimitError):
    """What is called is overloaded, and this call matters less than others."""

    policy: str | None = "load shedding"
    reason: RefusalReason | None = RefusalReason.SHED


class CallTimeoutError(ExternalServiceError, TimeoutError):
    """A call was stopped because it took longer than ``limit`` seconds."""

    fields: ClassVar[tuple[str, ...]] = ("service", "limit")
    limit: float | None = None

    def describe(self) -> str:
        what = self.service or "the call"
        return f"{what} timed out" + ("" if self.limit is None else f" after {self.limit:g} s")
