"""Records of other machines' journals become records of this one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from .apply import Applier
from .records import Foreign

__all__ = ["collect"]


def collect(db: sqlite3.Connection, records: Sequence[Foreign]) -> int:
    """Take ``records`` in, all or none; how many of them were new.

    One that has been taken in before changes nothing, so that they may be offered again.
    """
    new = 0
    db.execute("BEGIN IMMEDIATE")
    try:
        applier = Applier(db)
        for each in records:
            known = db.execute(
                "INSERT OR IGNORE INTO collected VALUES (?, ?)", (each.journal, each.position)
            )
            if known.rowcount:
                new += 1
                process = f"{each.process}@{each.journal}"
                applier.apply(process, each.position, each.kind, json.dumps(each.body))
        applier.finish()
        db.execute("COMMIT")
    except BaseException:  # an interruption too: half a batch must not be left open
        db.execute("ROLLBACK") if db.in_transaction else None
        raise
    return new
