"""Which of the quarantined are tried again: ``all``, ``canary``, ``group:ID``, ``class:data``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tenuto.errors import ConfigurationError, FaultClass
from tenuto.journal import Outcome, OutcomeStatus

from .plan import Cohort

__all__ = ["CANARIES", "Canaries", "Replay", "is_of_group"]

CANARIES = 3
"""Recordings of each group that are tried before the others of it."""

_ALL, _CANARY = "all", "canary"


@dataclass(frozen=True, slots=True)
class Replay:
    """What comes out of quarantine; without groups and classes, all of it.

    ``canary``: a few of each group of errors first, the others when those have done well.
    """

    groups: tuple[str, ...] = ()
    """Beginnings of fingerprints, as ``tenuto errors`` shows them."""
    classes: tuple[FaultClass, ...] = ()
    canary: bool = False

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Replay | None:
        """Selections as they are given on the command line, added up; None where there are none.

        Raises ConfigurationError for what is none.
        """
        if not texts:
            return None
        groups, classes, canary, everything = [], [], False, False
        for text in texts:
            kind, _, name = text.partition(":")
            if text == _ALL:
                everything = True
            elif text == _CANARY:
                canary = True
            elif kind == "group" and name:
                groups.append(name)
            elif kind == "class" and name in set(FaultClass):
                classes.append(FaultClass(name))
            else:
                known = ", ".join(f"class:{each}" for each in FaultClass)
                raise ConfigurationError(
                    f"replay {text!r}", f"give all, canary, group:ID, or one of {known}"
                )
        if everything:
            groups, classes = [], []
        return cls(tuple(groups), tuple(classes), canary)

    def takes(self, group: str | None, fault_class: str | None) -> bool:
        """Whether this is to be tried again."""
        if not self.groups and not self.classes:
            return True
        return fault_class in self.classes or any(is_of_group(group, each) for each in self.groups)


class Canaries:
    """Watches over those that were sent ahead, for the others of their cohorts."""

    def __init__(self, cohorts: Sequence[Cohort]) -> None:
        self._cohorts = cohorts
        self._out = {number: each.canaries for number, each in enumerate(cohorts, start=1)}
        self._failed = dict.fromkeys(self._out, 0)

    def take(self, cohort: int, outcome: Outcome) -> Cohort | None:
        """A canary of this cohort has ended. Gives the cohort if all have, and all did well."""
        self._out[cohort] -= 1
        self._failed[cohort] += outcome.status is OutcomeStatus.QUARANTINED
        if self._out[cohort] or self._failed[cohort]:
            return None
        return self._cohorts[cohort - 1]

    def news(self, cohort: int) -> str | None:
        """What people ought to know now that another canary of this cohort has ended."""
        which = self._cohorts[cohort - 1]
        if self._out[cohort] or not which.waiting:
            return None
        failed = self._failed[cohort]
        if not failed:
            return f"{which.name}: the canaries did well, {which.waiting:,} others follow."
        return (
            f"{which.name}: {failed} of {which.canaries} canaries failed again; "
            f"{which.waiting:,} others stay in quarantine."
        )


def is_of_group(group: str | None, given: str) -> bool:
    """Whether the fingerprint ``group`` begins as it is given, with or without its version."""
    if group is None:
        return False
    return group.startswith(given) or group.partition(":")[2].startswith(given)
