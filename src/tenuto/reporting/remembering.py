"""Where circuits stood when the process before this one ended."""

from __future__ import annotations

import sqlite3

from tenuto.journal import Journal
from tenuto.policies import CircuitMemory

__all__ = ["remembered"]

_LATEST = 50  # changes of state: other policies of the same name make some too


def remembered(journal: Journal, name: str) -> CircuitMemory | None:
    """The last state of the circuit ``name`` that ``journal`` knows; None where it knows none."""
    try:
        changes = journal.transitions(name, limit=_LATEST)
    except (sqlite3.Error, OSError) as error:
        journal.count_loss(f"remembering circuits: {type(error).__name__}")
        return None
    for change in changes:
        try:
            return CircuitMemory.from_dict(change.detail)
        except (KeyError, TypeError, ValueError):
            continue  # of another policy, or another version
    return None
