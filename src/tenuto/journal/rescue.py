"""What can still be read of a damaged journal goes into the one that is begun in its place.

A broken page hides the rows on it, and those that are found only by way of it. So each table is
read from both of its ends, up to the damage.
"""

# ruff: noqa: S608 - the queries are put together of names in the schema

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from .apply import Applier, is_count
from .encoding import readable
from .standing import CURSORS

__all__ = ["rescue"]

_NOT_COPIED = ("identity", "sequence")
_COUNTS = {'"seq"', '"n"', '"position"', '"count"', '"revision"'}
_SEQUENCES = (
    *(f"SELECT max(seq) FROM {name}" for name in ("events", "slices", "outcomes", "transitions")),
    "SELECT max(seq) FROM tallies",
    f"SELECT max(position) FROM cursors WHERE name GLOB '{CURSORS}'",
)
_UNCOUNTED = """
SELECT body, 1, time, time FROM events WHERE fingerprint NOT IN (SELECT fingerprint FROM groups)
UNION ALL SELECT body, count, first, last FROM slices
    WHERE fingerprint NOT IN (SELECT fingerprint FROM groups)
"""


def rescue(damaged: Path, db: sqlite3.Connection) -> int:
    """Copy from the file ``damaged`` into ``db``, which is new; how many rows were no use.

    What cannot be found is not counted: nobody knows how much it was. Raises ``sqlite3.Error`` if
    ``db`` cannot be written, and leaves it as it was.
    """
    useless = 0
    log = damaged.with_name(f"{damaged.name}-wal")
    how = "mode=ro" if log.exists() else "immutable=1"  # which leaves no files beside it
    with closing(sqlite3.connect(f"{damaged.as_uri()}?{how}", uri=True)) as old:
        old.text_factory = readable
        db.execute("BEGIN IMMEDIATE")
        try:
            for table in _tables(db):
                useless += _copy(old, db, table)
            _count_groups(db)
            _go_on_from(old, db)
            db.execute("COMMIT")
        except BaseException:  # an interruption too: no transaction is left open
            db.execute("ROLLBACK") if db.in_transaction else None
            raise
    return useless


def _tables(db: sqlite3.Connection) -> list[str]:
    rows = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
    return [name for (name,) in rows if name not in _NOT_COPIED and not name.startswith("sqlite_")]


def _copy(old: sqlite3.Connection, db: sqlite3.Connection, table: str) -> int:
    columns = [(row[1], row[5]) for row in db.execute(f"PRAGMA table_info({table})")]
    names = [f'"{name}"' for name, _ in columns]
    key = [f'"{name}"' for name, place in sorted(columns, key=lambda each: each[1]) if place]
    if not key:  # two equal rows are two
        key, names = ["rowid"], ["rowid", *names]
    insert = (
        f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    )
    useless = 0
    for row in _rows(old, table, names, key):
        try:
            _check(dict(zip(names, row, strict=True)))
            db.execute(insert, row)
        except (TypeError, ValueError, sqlite3.IntegrityError):
            useless += 1
    return useless


def _check(row: dict[str, Any]) -> None:
    """Raise ValueError or TypeError where a value cannot be what was written."""
    for name in _COUNTS & row.keys():
        if not is_count(row[name]):
            raise ValueError(name)
    if '"body"' in row:
        json.loads(row['"body"'])


def _rows(
    old: sqlite3.Connection, table: str, names: list[str], key: list[str]
) -> Iterator[tuple[Any, ...]]:
    """All rows; those between two broken pages are missing."""
    for direction in ("ASC", "DESC"):
        order = ", ".join(f"{each} {direction}" for each in key)
        query = f"SELECT {', '.join(names)} FROM {table} NOT INDEXED ORDER BY {order}"
        try:
            yield from old.execute(query)
        except sqlite3.Error:  # as far as one comes from this end
            continue
        return


def _count_groups(db: sqlite3.Connection) -> None:
    """Make the groups anew of which only errors are left; their older counts are gone."""
    applier = Applier(db)
    for body, count, first, last in db.execute(_UNCOUNTED).fetchall():
        with suppress(KeyError, TypeError):
            applier.count_again(json.loads(body), count, (first, last))


def _go_on_from(old: sqlite3.Connection, db: sqlite3.Connection) -> None:
    """No place that a reader has been told of may be another record's."""
    highest = [0]
    with suppress(sqlite3.Error):
        told = [value for (value,) in old.execute("SELECT value FROM sequence")]
        highest += filter(is_count, told)
    highest += [db.execute(query).fetchone()[0] or 0 for query in _SEQUENCES]
    db.execute("UPDATE sequence SET value = ?", (max(highest),))
