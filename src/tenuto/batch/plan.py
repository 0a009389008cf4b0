"""What a run is to do, and what it may leave alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Again", "Cohort", "Item", "Plan"]


@dataclass(frozen=True, slots=True)
class Item:
    """One input and the output it becomes; both are absolute paths."""

    input: str
    output: str
    number: int = 0
    """Its place in the plan."""
    content: str = ""
    """The hash of the bytes that its last outcome is about, if that outcome holds for the same."""
    cohort: int = 0
    """Which of the plan's cohorts it is a canary of; 0: of none."""
    waited: bool = False
    """Whether it had to wait for the canaries of its cohort."""


class Again(StrEnum):
    """Why something that has an outcome is done again."""

    CHANGED = "the input has changed"
    TOUCHED = "if the content has changed, and not only the time"
    PARAMETERS = "with other settings or versions"
    GONE = "the output is not there any more"
    REPLAYED = "out of quarantine"
    OVERWRITTEN = "as was asked for"


@dataclass(slots=True)
class Cohort:
    """Quarantined inputs of one group of errors: some are tried first, the others wait for them."""

    name: str
    canaries: int = 0
    waiting: int = 0


@dataclass(slots=True)
class Plan:
    """The work of a run, in numbers. The items themselves are in the ledger."""

    folder: str
    """The output folder, absolute."""
    inputs: int = 0
    finished: int = 0
    """Have an outcome that holds, and their output is there."""
    quarantined: int = 0
    """Are in quarantine, and left there."""
    without_input: int = 0
    """Of the finished: their input is gone."""
    again: Counter[Again] = field(default_factory=Counter)
    """What has an outcome and is done again all the same, by the reason."""
    ignored: int = 0
    """Files in the input folders that are not called like sound; results that were named."""
    repeated: int = 0
    """Times an input was named again."""
    renamed: int = 0
    """Items whose output does not have its plain name."""
    renamed_first: list[Item] = field(default_factory=list)
    """The first few of them."""
    bad_rows: int = 0
    """Rows of a manifest, or lines of a list, that name no input."""
    bad_rows_first: list[str] = field(default_factory=list)
    """What is wrong with the first few of them, for people."""
    cohorts: list[Cohort] = field(default_factory=list)
    """Number 1 is the first."""
    complete: bool = True
    """False where the search for inputs was interrupted."""

    @property
    def left(self) -> int:
        """How many items there are to work on."""
        return self.inputs - self.finished - self.quarantined
