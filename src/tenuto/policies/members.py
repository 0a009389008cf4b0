"""Which policies there are, in words, and what each of them tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from tenuto.errors import ConfigurationError

from .breaker import CircuitBreaker
from .bulkhead import Bulkhead
from .concurrency import ConcurrencyLimit
from .events import EventKind
from .fallback import Fallback
from .hedge import Hedge
from .rate import RateLimit
from .retry import Retry
from .shedding import LoadShedding
from .timeout import Timeout

__all__ = ["MEMBERS", "Member", "Policy", "member"]

Policy: TypeAlias = (
    Bulkhead
    | CircuitBreaker
    | ConcurrencyLimit
    | Fallback
    | Hedge
    | LoadShedding
    | RateLimit
    | Retry
    | Timeout
)


class Member(NamedTuple):
    """One kind of policy."""

    kind: str
    """As its events call it."""
    tells: tuple[EventKind, ...]


MEMBERS: Mapping[type, Member] = {
    Fallback: Member("fallback", (EventKind.FELL_BACK,)),
    Retry: Member(
        "retry",
        (EventKind.RETRIED, EventKind.RECOVERED, EventKind.SUPPRESSED, EventKind.GAVE_UP),
    ),
    CircuitBreaker: Member(
        "breaker",
        (EventKind.TRIPPED, EventKind.REFUSED, EventKind.PROBING, EventKind.CLOSED),
    ),
    LoadShedding: Member("load shedding", (EventKind.REFUSED,)),
    Bulkhead: Member("bulkhead", (EventKind.REFUSED,)),
    ConcurrencyLimit: Member("concurrency limit", (EventKind.LIMIT_CHANGED, EventKind.REFUSED)),
    RateLimit: Member("rate limit", (EventKind.DELAYED, EventKind.REFUSED)),
    Timeout: Member("timeout", (EventKind.TIMED_OUT, EventKind.OVERRAN, EventKind.REFUSED)),
    Hedge: Member("hedge", (EventKind.HEDGED,)),
}


def member(policy: object) -> Member:
    """What kind of policy ``policy`` is. Raises ConfigurationError where it is none."""
    for kind, found in MEMBERS.items():
        if isinstance(policy, kind):
            return found
    raise ConfigurationError("stack", f"{policy!r} is not a policy")
