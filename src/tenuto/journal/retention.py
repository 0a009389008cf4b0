"""What a journal lets go of, so that it never fills the disk: the old, and the hundredth of a kind.

The first and the last error of each group, and every error of a rare one, tell the most, and stay
longest. The counts of a group outlive the errors they count.
"""

# ruff: noqa: S608 - the queries are put together of constants

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from tenuto.errors import ConfigurationError

from .standing import CURSORS
from .trends import forget

__all__ = ["UNTOLD", "Pruned", "Retention", "prune"]

UNTOLD = "let go of before every reader was told"

_DAY = 86_400.0
_OFFERED_AGAIN = 1_000_000  # records
_RARE = 10  # errors: a group of no more is told in full
_KEEP_NEWEST = (64, 32, 16, 8, 4, 2, 1)  # of each group, in turn, until there is room
_ROOM = 0.8  # of the limit: pruned to there, so that it need not be done again at once
_AT_ONCE = 500  # rows in one transaction: readers and other processes have their turn in between


@dataclass(frozen=True, slots=True)
class Retention:
    """How long, and how much, a journal keeps.

    ``max_age`` in seconds: errors are kept whole for so long, but the first, the last and the rare
    ones of a group for as long again after the group was last seen. ``max_bytes`` is the size of
    ``journal.db``; past it, all but the newest of each group go, whatever their age.

    Raises ConfigurationError where one of them is not positive.
    """

    max_age: float = 90 * _DAY
    max_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        for setting in ("max_age", "max_bytes"):
            if not getattr(self, setting) > 0:
                raise ConfigurationError(setting, "give a number above zero")


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was let go of: how many rows, and how many bytes the journal holds now."""

    rows: int
    bytes: int


def prune(db: sqlite3.Connection, retention: Retention, now: float) -> Pruned:
    """Let go of what ``retention`` does not keep. To be called only under the lease."""
    times = {"before": now - retention.max_age, "long_before": now - 2 * retention.max_age}
    rows = sum(_delete(db, table, where, times) for table, where in _TOO_OLD)
    if _size(db) > retention.max_bytes:
        rows += _make_room(db, int(retention.max_bytes * _ROOM))
    rows += sum(_delete(db, table, where, {}) for table, where in _ORPHANED)
    forget(db, now)
    db.execute("PRAGMA incremental_vacuum").fetchall()
    return Pruned(rows, _size(db))


# What somebody has still to be told of is kept; where nobody reads, there is nobody to wait for.
_TOLD = f"seq <= (SELECT coalesce(min(position), 1 << 62) FROM cursors WHERE name GLOB '{CURSORS}')"
_NOT_AN_END = """
    seq NOT IN (SELECT min(seq) FROM events GROUP BY fingerprint)
    AND seq NOT IN (SELECT max(seq) FROM events GROUP BY fingerprint)
"""
_COMMON = f"fingerprint IN (SELECT fingerprint FROM groups WHERE count > {_RARE})"
_UNSEEN = "fingerprint IN (SELECT fingerprint FROM groups WHERE last < :long_before)"

_LAST_STATES = "SELECT max(seq) FROM transitions GROUP BY policy"
_HAS_ANY = "SELECT 1 FROM {0} WHERE {0}.fingerprint = groups.fingerprint"
# What is offered twice is offered soon.
_NEWEST = "SELECT max(position) FROM collected AS newest WHERE newest.journal = collected.journal"

_TOO_OLD = (
    ("events", f"time < :before AND {_COMMON} AND {_NOT_AN_END} AND {_TOLD}"),
    ("events", f"{_UNSEEN} AND {_TOLD}"),
    ("slices", f"last < :before AND {_TOLD}"),
    ("transitions", f"time < :before AND seq NOT IN ({_LAST_STATES}) AND {_TOLD}"),
    ("outcomes", "time < :before"),
    ("attempts", "started < :before"),
)
_ORPHANED = (
    (
        "groups",
        f"NOT EXISTS ({_HAS_ANY.format('events')}) AND NOT EXISTS ({_HAS_ANY.format('slices')})",
    ),
    ("annotations", "event_id NOT IN (SELECT id FROM events)"),
    ("told", "event_id NOT IN (SELECT event_id FROM slices)"),
    ("collected", f"position < ({_NEWEST}) - {_OFFERED_AGAIN}"),
)
_BEYOND_THE_NEWEST = f"""
    seq IN (
        SELECT seq FROM (
            SELECT seq, row_number() OVER (PARTITION BY fingerprint ORDER BY seq DESC) AS age
            FROM events
        ) WHERE age > :keep
    ) AND {_NOT_AN_END}
"""


def _make_room(db: sqlite3.Connection, enough: int) -> int:
    """Fewer and fewer of each group; at last, the oldest of everything else."""
    rows = 0
    for told in (f"AND {_TOLD}", ""):  # what nobody waits for first
        for keep in _KEEP_NEWEST:
            where = f"{_BEYOND_THE_NEWEST} {told}"
            if not told:
                _count_untold(db, where, {"keep": keep})
            rows += _delete(db, "events", where, {"keep": keep})
            if _size(db) <= enough:
                return rows
    for table in ("attempts", "transitions", "slices", "outcomes"):
        while _size(db) > enough and (gone := _delete_oldest(db, table)):
            rows += gone
    return rows


def _delete(db: sqlite3.Connection, table: str, where: str, values: dict[str, float]) -> int:
    if table in ("groups", "told", "collected"):  # without row ids, and small
        return db.execute(f"DELETE FROM {table} WHERE {where}", values).rowcount
    rows = 0
    found = f"SELECT rowid FROM {table} WHERE {where} LIMIT {_AT_ONCE}"
    query = f"DELETE FROM {table} WHERE rowid IN ({found})"
    while gone := db.execute(query, values).rowcount:
        rows += gone
    return rows


def _delete_oldest(db: sqlite3.Connection, table: str) -> int:
    found = f"SELECT rowid FROM {table} ORDER BY rowid LIMIT {_AT_ONCE}"
    return db.execute(f"DELETE FROM {table} WHERE rowid IN ({found})").rowcount


def _count_untold(db: sqlite3.Connection, where: str, values: dict[str, float]) -> None:
    found = db.execute(f"SELECT count(*) FROM events WHERE {where}", values).fetchone()[0]
    if found:
        db.execute(
            "INSERT INTO drops VALUES (?, ?)"
            " ON CONFLICT (reason) DO UPDATE SET count = count + excluded.count",
            (UNTOLD, found),
        )


def _size(db: sqlite3.Connection) -> int:
    """Bytes in use: what is free inside the file is used again before the file grows."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
