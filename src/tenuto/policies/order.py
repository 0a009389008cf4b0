"""Which policy may be around which, and why not: the laws of ``stack``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from tenuto.errors import ConfigurationError

from .breaker import CircuitBreaker
from .bulkhead import Bulkhead
from .concurrency import ConcurrencyLimit
from .fallback import Fallback
from .members import Policy, member
from .rate import RateLimit
from .timeout import Timeout

__all__ = ["QUESTIONABLE", "REFUSED", "check_order"]

# What may lie between two timeouts so that both have something to say.
_REPEATS_OR_WAITS = frozenset({"retry", "hedge", "bulkhead", "concurrency limit", "rate limit"})

REFUSED: Mapping[tuple[str, str], str] = {
    ("retry", "retry"): "it holds two retries, whose attempts would multiply: keep one",
    ("hedge", "hedge"): "it holds two hedges, whose copies would multiply: keep one",
}
"""By the outer and the inner kind: why the two cannot be in one stack."""

QUESTIONABLE: Mapping[tuple[str, str], str] = {
    ("breaker", "retry"): "sees one failure for many calls, and holds its permit through the "
    "waits: put the retry first",
    ("breaker", "hedge"): "lets one probe through that becomes several calls, and sees no copy "
    "that fails: put the hedge first",
    ("hedge", "retry"): "starts copies that repeat each by itself, so that the calls multiply: put "
    "the retry first",
    ("bulkhead", "retry"): "holds a place through the waits, when nobody is called: put the retry "
    "first",
    ("bulkhead", "hedge"): "counts several copies as one call: put the hedge first",
    ("concurrency limit", "retry"): "takes the waits for slow calls, and lowers its limit for "
    "them: put the retry first",
    ("concurrency limit", "hedge"): "counts several copies as one call: put the hedge first",
    ("rate limit", "retry"): "does not count what is repeated: put the retry first",
    ("rate limit", "hedge"): "counts several copies as one call: put the hedge first",
    ("rate limit", "breaker"): "spends its rate on calls that an open circuit refuses: put the "
    "breaker first",
}
"""By the outer and the inner kind: what the outer one does that nobody wants."""


def check_order(policies: Sequence[Policy], stacklevel: int) -> None:
    """Raise ConfigurationError for an order that cannot work; warn of what seldom does.

    ``stacklevel`` 1 is the caller, as in ``warnings.warn``, so that the user is shown a line of
    their own.
    """
    kinds = [member(policy).kind for policy in policies]
    for reason in _impossible(policies, kinds):
        raise ConfigurationError("stack", reason)
    for doubt in _doubts(policies, kinds):
        warnings.warn(doubt, stacklevel=stacklevel + 1)


def _impossible(policies: Sequence[Policy], kinds: Sequence[str]) -> Iterator[str]:
    for (i, outer), (j, inner) in combinations(enumerate(policies), 2):
        if outer is inner:
            yield f"{outer} is in it twice, and would meet itself: give it once"
        if (kinds[i], kinds[j]) in REFUSED:
            yield REFUSED[kinds[i], kinds[j]]
        if isinstance(inner, Fallback) and any(link.exceptions is None for link in inner.links):
            if isinstance(outer, Fallback):
                yield f"{inner} leaves nothing to {outer} around it: chain them with then()"
            yield (
                f"{inner} hides every failure from {outer} around it: put it first, or say by "
                "exceptions= which errors are its own"
            )
        if isinstance(outer, Timeout) and outer.isolate:
            yield (
                f"{inner} would be in another process than its state, inside of {outer}: put the "
                "isolated timeout last"
            )
        if isinstance(outer, Timeout) and isinstance(inner, Timeout):
            between = set(kinds[i + 1 : j])
            if not between & _REPEATS_OR_WAITS:
                yield f"of {outer} and {inner} around the same call the shorter decides: keep it"


def _doubts(policies: Sequence[Policy], kinds: Sequence[str]) -> Iterator[str]:
    for (i, outer), (j, inner) in combinations(enumerate(policies), 2):
        if (kinds[i], kinds[j]) in QUESTIONABLE:
            yield f"{outer} around {inner} {QUESTIONABLE[kinds[i], kinds[j]]}"
        if not isinstance(outer, Timeout):
            continue
        if isinstance(inner, Timeout) and outer.seconds <= inner.seconds:
            yield f"{outer} around {inner} ends the call before the inner limit is ever reached"
        hears = "timeout" in kinds[j + 1 :]
        if isinstance(inner, CircuitBreaker) and inner.slow_after is None and not hears:
            yield (
                f"{outer} around {inner} stops calls that the circuit then knows nothing of: put "
                "a timeout inside the breaker, where it counts as a failure"
            )
        if _queues(inner) and "breaker" in kinds[:i] and "breaker" not in kinds[i:j]:
            yield (
                f"{outer} around {inner} counts the wait for a place, which the circuit around "
                "both takes for a slow dependency: put the timeout inside"
            )


def _queues(policy: Policy) -> bool:
    """Whether calls may wait for ``policy`` to let them in."""
    if isinstance(policy, RateLimit):
        return policy.max_wait > 0
    return isinstance(policy, (Bulkhead, ConcurrencyLimit)) and policy.queue > 0
