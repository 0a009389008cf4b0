"""``RetryBudget``: how many retries there may be for the calls that go well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from threading import RLock
from typing import Any

from tenuto.errors import FaultClass
from tenuto.machines import Budget, Tally

from .kinds import Kind, check_kinds, nearest, word_for
from .rules import check_number

__all__ = ["RetryBudget"]


@dataclass(frozen=True)
class RetryBudget:
    """A bucket of tokens that every ``Retry(budget=…)`` with this object spends from.

    A retry takes ``cost`` tokens, a call that goes well, at the first attempt or later, gives
    ``refund`` back. A retry for which there are too few is not made. The numbers are those of the
    standard retry mode of the AWS SDKs.

    Raises ConfigurationError when it is built with settings that make no sense.
    """

    name: str | None = None
    """What the retries have in common: the dependency they burden."""
    capacity: float = 500
    """The most tokens there can be, and how many there are at first."""
    cost: float = 5
    """Tokens for one retry."""
    _: KW_ONLY
    costs: Mapping[Kind, float] | None = field(default=None, hash=False)
    """Tokens for a retry after certain errors, by exception type or fault class. By default,
    ``{TimeoutError: 2 * cost}``: a call that ran into its limit has cost the server most."""
    refund: float = 1
    """Tokens that a call that goes well gives back."""

    _costs: Mapping[Kind, float] = field(init=False, repr=False, compare=False)
    _bucket: Budget = field(init=False, repr=False, compare=False)
    _lock: RLock = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_number("capacity", self.capacity, least=0.0)
        check_number("cost", self.cost, least=0.0, most=self.capacity)
        check_number("refund", self.refund, least=0.0)
        costs = self.costs
        if costs is None:
            costs = {TimeoutError: min(2 * self.cost, self.capacity)}
        check_kinds("costs", costs)
        for kind, cost in costs.items():
            check_number(f"costs[{word_for(kind)}]", cost, least=0.0, most=self.capacity)
        object.__setattr__(self, "_costs", dict(costs))
        object.__setattr__(self, "_bucket", Budget(self.capacity, self.refund))
        # Re-entrant: the collector may end an abandoned call in a thread that holds the lock.
        object.__setattr__(self, "_lock", RLock())

    def __str__(self) -> str:
        what = f"{self.name}: " if self.name else ""
        return f"RetryBudget({what}{self.capacity:g} tokens, {self.cost:g} a retry)"

    def reconfigure(self, **settings: Any) -> None:
        """Go by other settings from now on; what is left stays, as far as there is room for it.

        Raises ConfigurationError, and changes nothing, where they make no sense.
        """
        changed = replace(self, **settings)
        with self._lock:
            for setting in (*settings, "_costs"):
                object.__setattr__(self, setting, getattr(changed, setting))
            self._bucket.resize(self.capacity, self.refund)

    @property
    def tokens(self) -> float:
        """How many are left."""
        with self._lock:
            return self._bucket.tokens

    @property
    def suppressed(self) -> int:
        """How many retries were not made for want of tokens."""
        return self._bucket.suppressed

    @property
    def tally(self) -> Tally:
        """Where calls that go well are counted, without a lock."""
        return self._bucket.tally

    def spend(self, error: BaseException | None, fault: FaultClass | None) -> bool:
        """Take the tokens for a retry after ``error``; False: there are too few."""
        found = nearest(self._costs, error, fault)
        cost = self.cost if found is None else found[1]
        with self._lock:
            return self._bucket.spend(cost)
