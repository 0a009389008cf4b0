"""Where circuits stood when the process before this one ended."""

from __future__ import annotations

import sqlite3

from tenuto.journal import Journal
from tenuto.policies import CircuitMemory

__all__ = ["remembered"]


def remembered(journal: Journal, name: str) -> dict[str | None, CircuitMemory]:
    """The last state of the circuit ``name`` that ``journal`` knows, and of its keys, by key.

    The circuit itself is at None. Empty where nothing is known.
    """
    try:
        changes = journal.latest_states(name)
    except (sqlite3.Error, OSError) as error:
        journal.count_loss(f"remembering circuits: {type(error).__name__}")
        return {}
    found: dict[str | None, CircuitMemory] = {}
    for policy, change in changes.items():
        key = None if policy == name else policy[len(name) + 1 : -1]
        try:
            found[key] = CircuitMemory.from_dict(change.detail)
        except (KeyError, TypeError, ValueError):
            continue  # of another version
    return found
