"""``--budget 1%``: how many recordings of a run may end worse than enhanced.

The budget is of the whole run. It is spent when more recordings have ended degraded or quarantined
than all of them together may; and long before that, a run that cannot be expected to keep to it is
stopped (see ``Allowance`` for the test). What has ended is a fair sample of what is still to come
only if the order is random, so a run with a budget works in random order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from tenuto.errors import ConfigurationError
from tenuto.journal import OutcomeStatus
from tenuto.machines import Allowance, Prospect

from .ledger.ledger import Ledger
from .plan import Plan

__all__ = ["FALSE_STOPS", "Account", "ErrorBudget", "Objection"]

FALSE_STOPS = 1e-6
"""The chance that a run is stopped which would have kept to its budget, at most."""

_SHARE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(%?)\s*")


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """``share`` of all recordings, from 0 to 1, may end degraded or quarantined."""

    share: float

    @classmethod
    def parse(cls, text: str) -> ErrorBudget:
        """``1%``, or ``0.01``. Raises ConfigurationError for anything else, and for a bare ``1``.

        Nobody could tell whether that is one in a hundred, or all of them.
        """
        found = _SHARE.fullmatch(text)
        share = -1.0 if found is None else float(found[1]) / (100 if found[2] else 1)
        if share == 1 and "%" not in text:
            remedy = f"{text!r} is one in a hundred, or all: give 1%, or 100%"
            raise ConfigurationError("the budget", remedy)
        if not 0 <= share <= 1:
            raise ConfigurationError("the budget", f"{text!r} is no share: give 1%, or 0.01")
        return cls(share)

    def __str__(self) -> str:
        return f"{self.share * 100:.6g}%"

    def allowed(self, inputs: int) -> int:
        """How many of ``inputs`` may end so."""
        return int(self.share * inputs + 1e-9)  # 0.07 * 100 is a little less than 7


class Objection(str):
    """Why a run is stopped that cannot keep to its budget. The same again would be stopped too."""

    __slots__ = ()


class Account:
    """How a run does by its ``budget``.

    ``inputs`` are all recordings of the run, of which ``bad`` ended so before. ``sample`` is how
    many are worked on in random order now: only those say anything about what is to come.
    """

    def __init__(self, budget: ErrorBudget, *, inputs: int, bad: int, sample: int) -> None:
        self._budget = budget
        self._inputs = inputs
        self._sample = sample
        self._allowed = budget.allowed(inputs)
        self._bad_elsewhere = bad
        self._ended = 0
        self._bad = 0
        self._following = 0

    @classmethod
    def of(cls, budget: ErrorBudget, plan: Plan, ledger: Ledger) -> Self:
        """The account of a run that is to begin."""
        degraded = "SELECT count(*) FROM left_alone JOIN outcomes ON id = outcome WHERE status = ?"
        at_once = "SELECT count(*) FROM plan WHERE cohort <= 0"
        ((bad,),) = ledger.db.execute(degraded, (OutcomeStatus.DEGRADED,))
        ((sample,),) = ledger.db.execute(at_once)
        return cls(budget, inputs=plan.inputs, bad=plan.quarantined + bad, sample=sample)

    def forgive(self, count: int) -> None:
        """So many that ended badly before are tried again, when others have shown the way."""
        self._bad_elsewhere -= count
        self._following += count

    def take(self, status: OutcomeStatus, *, sampled: bool = True) -> None:
        """A recording has ended; ``sampled``: its turn came at random."""
        bad = status is not OutcomeStatus.ENHANCED
        if sampled:
            self._ended += 1
            self._bad += bad
        else:
            self._bad_elsewhere += bad
            self._following -= 1

    def objection(self) -> Objection | None:
        """Why the run should stop; None: it may go on, or has come to its end."""
        if self._ended >= self._sample and not self._following:
            return None
        left = self._allowed - self._bad_elsewhere
        prospect = Allowance(self._sample, left, FALSE_STOPS).prospect(self._ended, self._bad)
        if prospect is Prospect.OPEN:
            return None
        budget = f"the budget of {self._budget} allows for {self._allowed:,} of {self._inputs:,}"
        bad = self._bad_elsewhere + self._bad
        if prospect is Prospect.SPENT:
            # More may end so before it has stopped: what is in hand is finished.
            recordings = "1 recording" if bad == 1 else f"{bad:,} recordings"
            found = f"stopped when {recordings} had ended degraded or quarantined, and {budget}"
        else:
            found = (
                f"{self._bad:,} of the first {self._ended:,} recordings ended degraded or "
                f"quarantined, and {budget}: a run within its budget comes to that less than once "
                "in a million times"
            )
        return Objection(
            f"{found}; see what went wrong, then go on with a larger budget, or without one"
        )
