"""Errors, outcomes and attempts at rest: appended by many processes, lost by none."""

from .journal import Journal, open_journal
from .mover import Moved
from .records import (
    SETTLED_AFTER,
    Attempt,
    AttemptEnd,
    Batch,
    Foreign,
    Group,
    Outcome,
    OutcomeStatus,
    Reader,
    Record,
    Standing,
    Tally,
    Transition,
)
from .retention import Pruned, Retention
from .trends import Direction, Trend

__all__ = [
    "SETTLED_AFTER",
    "Attempt",
    "AttemptEnd",
    "Batch",
    "Direction",
    "Foreign",
    "Group",
    "Journal",
    "Moved",
    "Outcome",
    "OutcomeStatus",
    "Pruned",
    "Reader",
    "Record",
    "Retention",
    "Standing",
    "Tally",
    "Transition",
    "Trend",
    "open_journal",
]
