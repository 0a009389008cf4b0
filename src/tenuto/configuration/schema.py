"""What may be configured: the policies under one name, and the settings of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tenuto.policies import (
    Bulkhead,
    CircuitBreaker,
    ConcurrencyLimit,
    Hedge,
    LoadShedding,
    RateLimit,
    Retry,
    RetryBudget,
    Timeout,
)

from .values import Reader, flag, number, one_of, or_none, read_backoff, seconds, whole, window

__all__ = ["KINDS", "ORDER", "Kind", "Setting"]


class Setting(NamedTuple):
    """One setting: how a value for it is read."""

    read: Reader
    live: bool = True
    """Whether it can change while the policy is in force."""


class Kind(NamedTuple):
    """One kind of policy."""

    policy: type[Any]
    settings: Mapping[str, Setting]
    main: str
    """The setting that a lone value stands for: ``timeout = 20``."""
    always: bool = False
    """Whether it is there unless somebody says ``false``."""


KINDS: Mapping[str, Kind] = {
    "shedding": Kind(
        LoadShedding, {"k": Setting(number), "window": Setting(seconds, live=False)}, main="k"
    ),
    "retry": Kind(
        Retry,
        {
            "max_retries": Setting(whole),
            "backoff": Setting(read_backoff),
            "max_hint": Setting(seconds),
            "deadline": Setting(or_none(seconds), live=False),
            "repeat_given_up": Setting(flag),
        },
        main="max_retries",
        always=True,
    ),
    "budget": Kind(
        RetryBudget,
        {"capacity": Setting(number), "cost": Setting(number), "refund": Setting(number)},
        main="capacity",
        always=True,
    ),
    "hedge": Kind(Hedge, {"delay": Setting(seconds), "max_hedges": Setting(whole)}, main="delay"),
    "breaker": Kind(
        CircuitBreaker,
        {
            "failure_threshold": Setting(or_none(whole)),
            "timeout": Setting(seconds),
            "max_timeout": Setting(or_none(seconds)),
            "half_open_permits": Setting(whole),
            "failure_rate": Setting(or_none(number)),
            "window": Setting(window),
            "minimum_calls": Setting(whole),
            "slow_after": Setting(or_none(seconds)),
            "slow_rate": Setting(number),
            "shadow": Setting(flag),
            "quorum": Setting(number),
        },
        main="failure_threshold",
        always=True,
    ),
    "rate": Kind(
        RateLimit,
        {
            "calls": Setting(number),
            "per": Setting(seconds),
            "burst": Setting(or_none(number)),
            "max_wait": Setting(seconds),
        },
        main="calls",
    ),
    "bulkhead": Kind(
        Bulkhead,
        {
            "limit": Setting(whole),
            "queue": Setting(whole),
            "max_wait": Setting(or_none(seconds)),
        },
        main="limit",
    ),
    "concurrency": Kind(
        ConcurrencyLimit,
        {
            "maximum": Setting(whole),
            "minimum": Setting(whole),
            "initial": Setting(whole),
            "algorithm": Setting(one_of("gradient", "aimd"), live=False),
            "tolerance": Setting(number),
            "queue": Setting(whole),
            "max_wait": Setting(or_none(seconds)),
        },
        main="maximum",
    ),
    "timeout": Kind(Timeout, {"seconds": Setting(seconds)}, main="seconds"),
}
"""By the name that code, files and variables call it, outermost first."""

ORDER = tuple(kind for kind in KINDS if kind != "budget")
"""Those that are put around a function. A budget is the retry's."""
