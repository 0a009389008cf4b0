"""How far each reader of a journal has come, and what keeps those who are behind."""

# ruff: noqa: S608 - the queries are put together of constants

from __future__ import annotations

import sqlite3

from .records import Reader, Standing

__all__ = [
    "CURSORS",
    "cursor_key",
    "forget",
    "forget_trouble",
    "note_trouble",
    "refusal",
    "standings",
]

CURSORS = "reader*"
"""What the names of readers' cursors look like, those of spools beside them do not."""

_OF_ERRORS, _OF_ALL = "reader:", "reader-of-all:"
_ERRORS = ("events", "slices", "transitions")
_TIMES = {
    "events": "time",
    "slices": "last",
    "transitions": "time",
    "outcomes": "time",
    "tallies": None,  # a count that only grows has no time
}


def cursor_key(reader: Reader) -> str:
    """The name of its cursor."""
    return f"{_OF_ALL if reader.everything else _OF_ERRORS}{reader.name}"


def standings(db: sqlite3.Connection) -> list[Standing]:
    """All readers of the machine's journal that are known, by name."""
    rows = db.execute(
        "SELECT name, position FROM cursors WHERE name GLOB ? ORDER BY name", (CURSORS,)
    )
    return [_standing(db, key, position) for key, position in rows.fetchall()]


def _standing(db: sqlite3.Connection, key: str, position: int) -> Standing:
    of_all = key.startswith(_OF_ALL)
    name = key.removeprefix(_OF_ALL if of_all else _OF_ERRORS)
    lag, since = 0, []
    for table in _TIMES if of_all else _ERRORS:
        lag += db.execute(f"SELECT count(*) FROM {table} WHERE seq > ?", (position,)).fetchone()[0]
        if time := _TIMES[table]:
            first = f"SELECT {time} FROM {table} WHERE seq > ? ORDER BY seq LIMIT 1"
            since += [found for (found,) in db.execute(first, (position,))]
    trouble = db.execute(
        "SELECT since, refused_until, error FROM troubles WHERE reader = ?", (name,)
    ).fetchone()
    return Standing(name, position, lag, min(since, default=None), *(trouble or (None, None, None)))


def note_trouble(
    db: sqlite3.Connection, reader: Reader, now: float, error: str, refused_until: float | None
) -> None:
    """Write down that ``reader`` could not be told, and why; since when, if it could before."""
    db.execute(
        "INSERT INTO troubles VALUES (?, ?, ?, ?) ON CONFLICT (reader) DO UPDATE"
        " SET error = excluded.error, refused_until = excluded.refused_until",
        (reader.name, now, refused_until, error),
    )


def refusal(db: sqlite3.Connection, reader: Reader) -> tuple[float, str] | None:
    """When its destination wants to hear from ``reader`` again, and why, if it has said so."""
    found: tuple[float, str] | None = db.execute(
        "SELECT refused_until, error FROM troubles WHERE reader = ? AND refused_until IS NOT NULL",
        (reader.name,),
    ).fetchone()
    return found


def forget(db: sqlite3.Connection, name: str) -> bool:
    """Let go of where the reader of this name stands; whether there was one."""
    keys = (f"{_OF_ERRORS}{name}", f"{_OF_ALL}{name}")
    db.execute("BEGIN IMMEDIATE")
    try:
        known = db.execute("DELETE FROM cursors WHERE name IN (?, ?)", keys).rowcount > 0
        db.execute("DELETE FROM told WHERE reader = ?", (name,))
        db.execute("DELETE FROM troubles WHERE reader = ?", (name,))
        db.execute("COMMIT")
    except BaseException:  # an interruption too: no transaction is left open
        db.execute("ROLLBACK") if db.in_transaction else None
        raise
    return known


def forget_trouble(db: sqlite3.Connection, reader: Reader) -> None:
    """``reader`` has been told of something."""
    db.execute("DELETE FROM troubles WHERE reader = ?", (reader.name,))
