"""Other settings for policies that are in force already, and have calls under way."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from .fallback import Fallback
from .hedge import Hedge
from .retry import Retry
from .timeout import Timeout

__all__ = ["is_stateless", "reconfigure"]

_STATELESS = (Fallback, Hedge, Retry, Timeout)


def is_stateless(policy: object) -> bool:
    """Whether ``policy`` is nothing but settings, so that a copy of it does just as well."""
    return isinstance(policy, _STATELESS)


def reconfigure(policy: Any, **settings: Any) -> None:
    """Have everything that ``policy`` guards go by other ``settings`` from the next call on.

    What it has counted, and who is inside, stays. A call under way ends by the old settings or by
    the new ones. Raises ConfigurationError where the settings make no sense, or cannot be changed
    while the policy is in force; nothing has changed then.
    """
    if not is_stateless(policy):
        policy.reconfigure(**settings)
        return
    changed = replace(policy, **settings)
    for field in fields(changed):  # a guard has a hold of the policy, and reads it when it needs to
        object.__setattr__(policy, field.name, getattr(changed, field.name))
