"""``RetryBudget``: how many retries there may be for the calls that go well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from threading import RLock
from typing import Any

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import ConfigurationError, FaultClass
from tenuto.machines import Budget, Tally
from tenuto.state import Share
from tenuto.state import State as Fleet

from .kinds import Kind, check_kinds, nearest, word_for
from .rules import check_number, check_same_fleet

__all__ = ["RetryBudget"]

_CRUMB = 1e-6  # of a share


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
    fleet: Fleet | None = field(default=None, repr=False, compare=False)
    """Where the budget is shared with those of other processes that have its name: what
    ``open_state(url)`` gives. ``capacity`` is for all together, and each goes by its share."""
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)

    _costs: Mapping[Kind, float] = field(init=False, repr=False, compare=False)
    _bucket: Budget = field(init=False, repr=False, compare=False)
    _lock: RLock = field(init=False, repr=False, compare=False)
    _portion: _Portion | None = field(init=False, repr=False, compare=False)

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
        if self.fleet is not None and self.name is None:
            raise ConfigurationError("name", "a fleet finds the budget by it: give one")
        object.__setattr__(self, "_portion", None)
        if self.fleet is not None and self.name is not None:
            portion = _Portion(self._bucket, self._lock, self.fleet, self.name, self.clock)
            object.__setattr__(self, "_portion", portion)
            self._resize()
            portion.share.join()

    def __str__(self) -> str:
        what = f"{self.name}: " if self.name else ""
        return f"RetryBudget({what}{self.capacity:g} tokens, {self.cost:g} a retry)"

    def reconfigure(self, **settings: Any) -> None:
        """Go by other settings from now on; what is left stays, as far as there is room for it.

        Raises ConfigurationError, and changes nothing, where they make no sense.
        """
        if "clock" in settings:
            raise ConfigurationError("clock", "it cannot change while the budget is in force")
        check_same_fleet(self.fleet, settings)
        changed = replace(self, fleet=None, **settings)
        with self._lock:
            for setting in (*settings, "_costs"):
                object.__setattr__(self, setting, getattr(changed, setting))
            self._resize()

    @property
    def tokens(self) -> float:
        """How many are left."""
        with self._lock:
            return self._bucket.tokens

    @property
    def share(self) -> float:
        """The part of ``capacity`` that this process goes by; 1 without a fleet."""
        return 1.0 if self._portion is None else self._portion.share.part

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
        portion = self._portion
        with self._lock:
            enough = self._bucket.spend(cost)
            if portion is not None:
                portion.asked += cost
        if portion is not None and not enough:
            portion.share.want()
        return enough

    def _resize(self) -> None:
        if self._portion is None:
            self._bucket.resize(self.capacity, self.refund)
        else:
            dearest = max(self.cost, *self._costs.values(), 0.0)
            self._portion.resize(self.capacity, self.refund, dearest)


class _Portion:
    """A process's portion of the tokens that all of a fleet share."""

    __slots__ = ("_bucket", "_capacity", "_lock", "_refund", "asked", "share", "units")

    def __init__(self, bucket: Budget, lock: RLock, fleet: Fleet, name: str, clock: Clock) -> None:
        self._bucket = bucket
        self._lock = lock
        self._capacity = self._refund = 0.0
        self.units = 0
        """Retries: who has tokens for less than one can make none."""
        self.asked = 0.0
        """Tokens that were wanted since the others were told."""
        self.share = Share(fleet, "budget", name, self, clock)

    def resize(self, capacity: float, refund: float, dearest: float) -> None:
        """Go by these numbers for all of the fleet. Under the lock."""
        self._capacity, self._refund = capacity, refund
        self.units = int(capacity / dearest) if dearest > 0 else 0
        self.go_by(self.share.part)

    def wanted(self, seconds: float) -> float:
        with self._lock:
            asked, self.asked = self.asked, 0.0
        return asked / seconds / self._capacity if self._capacity else 0.0

    def go_by(self, share: float) -> None:
        with self._lock:
            # A share is no exact number, and has to be enough for whole retries.
            tokens = min(self._capacity, self._capacity * share * (1 + _CRUMB))
            self._bucket.resize(tokens, self._refund)
