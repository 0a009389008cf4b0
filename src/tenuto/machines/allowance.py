"""An error budget for a batch that ends, and when the batch cannot be expected to keep it.

A batch of ``inputs`` may hold at most ``allowed`` bad ones. What is seen is a sample without
replacement, in random order. The test compares how likely the sample is in the worst batch that is
still within the budget, which holds exactly ``allowed``, with how likely a mixture of all batches
makes it (Krichevsky and Trofimov's: the share of bad ones has a Beta(1/2, 1/2) prior). In a batch
within the budget that ratio is a non-negative martingale which starts at 1, so the chance that it
ever reaches 1/``risk``, at whichever of all the looks, is at most ``risk`` (Ville's inequality;
Waudby-Smith and Ramdas, "Confidence sequences for sampling without replacement", 2020).
"""

from __future__ import annotations

from enum import Enum, auto
from math import inf, lgamma, log

__all__ = ["Allowance", "Prospect"]

_PRIOR = 0.5


class Prospect(Enum):
    """What is to be expected of a batch."""

    OPEN = auto()
    """It may well end within its budget."""
    DOOMED = auto()
    """A batch within its budget would hardly ever have come to this."""
    SPENT = auto()
    """More were bad than the whole batch may hold."""


class Allowance:
    """At most ``allowed`` of ``inputs`` may be bad; ``risk`` is the chance of a false alarm.

    The chance is for the whole batch, not for one look, and for any batch within the budget.
    """

    __slots__ = ("_limit", "allowed", "inputs")

    def __init__(self, inputs: int, allowed: int, risk: float) -> None:
        self.inputs = inputs
        self.allowed = allowed
        self._limit = -log(risk)

    def prospect(self, ended: int, bad: int) -> Prospect:
        """After ``ended`` inputs, in random order, ``bad`` of which were bad."""
        if bad > self.allowed:
            return Prospect.SPENT
        # With fewer bad ones than the share allows, a batch with fewer is the more likely one.
        if bad * self.inputs <= self.allowed * ended:
            return Prospect.OPEN
        return Prospect.DOOMED if self.evidence(ended, bad) >= self._limit else Prospect.OPEN

    def evidence(self, ended: int, bad: int) -> float:
        """The logarithm of the ratio: how much the sample speaks against the budget."""
        good = ended - bad
        if bad > self.allowed or good > self.inputs - self.allowed:
            return inf  # no batch with exactly as many bad ones as are allowed looks like this
        mixture = _log_beta(bad + _PRIOR, good + _PRIOR) - _log_beta(_PRIOR, _PRIOR)
        worst = (
            _log_arrangements(self.allowed, bad)
            + _log_arrangements(self.inputs - self.allowed, good)
            - _log_arrangements(self.inputs, ended)
        )
        return mixture - worst


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _log_arrangements(all_of_them: int, taken: int) -> float:
    """In how many ways ``taken`` of them can follow each other."""
    return lgamma(all_of_them + 1) - lgamma(all_of_them - taken + 1)
