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
    Tally,
    Transition,
)
from .retention import Pruned, Retention

__all__ = [
    "SETTLED_AFTER",
    "Attempt",
    "AttemptEnd",
    "Batch",
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
    "Tally",
    "Transition",
    "open_journal",
]
