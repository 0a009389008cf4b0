"""Records, as spools hold them, become rows of the tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

__all__ = ["UNREADABLE", "Applier", "is_count"]

UNREADABLE = "unreadable record"

_COUNT = """
INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (fingerprint) DO UPDATE SET
    count = count + excluded.count,
    first = min(first, excluded.first),
    latest = CASE WHEN excluded.latest > latest THEN excluded.latest ELSE latest END,
    last = max(last, excluded.last)
"""
_COUNT_RECENT = """
INSERT INTO recent VALUES (CAST(? / 600 AS INTEGER), ?, ?)
ON CONFLICT (start, fingerprint) DO UPDATE SET count = count + excluded.count
"""
_ENDING = ("fault_class", "wait", "duration", "error_id")


_BEYOND_ALL = 1 << 62


class _Senseless(sqlite3.DatabaseError):
    """What SQLite finds in order, and cannot be."""

    sqlite_errorname = "SQLITE_CORRUPT"


def _last_seq(db: sqlite3.Connection) -> int:
    found = db.execute("SELECT value FROM sequence").fetchone()
    if found is None or not is_count(found[0]):
        raise _Senseless("the journal has lost count of its records")
    return int(found[0])


def is_count(value: object) -> bool:
    """Whether ``value`` can be a number of records, or a place among them."""
    return isinstance(value, int) and 0 <= value < _BEYOND_ALL


# A body that says what nobody wrote may be of any shape.
_SENSELESS = (
    *(AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError),
    *(sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError),
)


def _storable(text: str) -> str:
    """Text that UTF-8 cannot hold is stored with backslashes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _group_of(told: dict[str, Any]) -> list[str]:
    named = ("fingerprint", "type", "message", "where", "fault_class")
    return [_storable(str(told[name])) for name in named]


class Applier:
    """Writes within the transaction its maker has begun on ``db``."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._seq = _last_seq(db)
        self._by_kind: dict[str, Callable[[str, int, dict[str, Any], str], None]] = {
            "event": self._event,
            "slice": self._slice,
            "annotation": self._annotation,
            "outcome": self._outcome,
            "attempt": self._attempt,
            "attempt_end": self._attempt_end,
            "transition": self._transition,
            "drop": self._drop,
            "tally": self._tally,
        }

    def apply(self, process: str, n: int, kind: str, body: str) -> None:
        """Take in one record; one that makes no sense is counted as dropped."""
        try:
            self._by_kind[kind](process, n, json.loads(body), body)
        except _SENSELESS:
            self._count_drop(UNREADABLE, 1)

    def count_again(self, told: dict[str, Any], count: int, span: tuple[float, float]) -> None:
        """Count what is stored already: the ``count`` errors that an event or a slice tells of."""
        event_id = told["event_id"] if "event_id" in told else told["id"]
        self._db.execute(_COUNT, (*_group_of(told), count, *span, event_id))

    def finish(self) -> None:
        self._db.execute("UPDATE sequence SET value = ?", (self._seq,))

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def _event(self, process: str, n: int, event: dict[str, Any], body: str) -> None:
        group = _group_of(event)
        added = self._db.execute(
            "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._next_seq(), event["id"], process, n, group[0], event["time"], body),
        )
        if added.rowcount:
            self._count(group, 1, (event["time"], event["time"]), event["id"])

    def _slice(self, process: str, n: int, part: dict[str, Any], body: str) -> None:
        group, event_id = _group_of(part), part["event_id"]
        count, revision, span = part["count"], part["revision"], (part["first"], part["last"])
        known = self._db.execute(
            "SELECT count, revision FROM slices WHERE event_id = ?", (event_id,)
        ).fetchone() or (0, 0)
        if revision <= known[1]:
            return
        self._db.execute(
            "INSERT OR REPLACE INTO slices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (event_id, self._next_seq(), process, n, group[0], count, revision, *span, body),
        )
        self._count(group, count - known[0], span, event_id)

    def _count(
        self, group: list[str], count: int, span: tuple[float, float], event_id: str
    ) -> None:
        self._db.execute(_COUNT, (*group, count, *span, event_id))
        self._db.execute(_COUNT_RECENT, (span[1], group[0], count))

    def _annotation(self, _process: str, _n: int, note: dict[str, Any], body: str) -> None:
        self._db.execute("INSERT INTO annotations VALUES (?, ?)", (note["event_id"], body))

    def _outcome(self, _process: str, _n: int, outcome: dict[str, Any], body: str) -> None:
        self._db.execute(
            "INSERT INTO outcomes VALUES (?, ?, ?, ?)",
            (self._next_seq(), outcome["time"], outcome["status"], body),
        )

    # The two ends of an attempt may come from two processes, and so in either order.
    def _attempt(self, process: str, _n: int, attempt: dict[str, Any], _body: str) -> None:
        self._add_attempt(attempt["id"])
        description = (
            # As JSON: a file's name need not be UTF-8, and is looked up as it is.
            *(json.dumps(attempt["work"]), _storable(attempt["step"])),
            *(attempt["number"], attempt["started"]),
        )
        self._db.execute(
            "UPDATE attempts SET process = ?, work = ?, step = ?, number = ?, started = ?"
            " WHERE id = ?",
            (process, *description, attempt["id"]),
        )
        self._update_ending(attempt, attempt["ended"])

    def _attempt_end(self, _process: str, _n: int, ending: dict[str, Any], _body: str) -> None:
        self._add_attempt(ending["id"])
        self._update_ending(ending, ending["ended"])

    def _add_attempt(self, attempt_id: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO attempts (id) VALUES (?)", (attempt_id,))

    def _update_ending(self, ending: dict[str, Any], ended: str) -> None:
        values = [ending[name] for name in _ENDING]
        self._db.execute(
            "UPDATE attempts SET ended = CASE ?1 WHEN 'open' THEN ended ELSE ?1 END,"
            " fault_class = coalesce(?2, fault_class), wait = coalesce(?3, wait),"
            " duration = coalesce(?4, duration), error_id = coalesce(?5, error_id) WHERE id = ?6",
            (ended, *values, ending["id"]),
        )

    def _transition(self, process: str, n: int, change: dict[str, Any], body: str) -> None:
        self._db.execute(
            "INSERT INTO transitions VALUES (?, ?, ?, ?, ?, ?)",
            (self._next_seq(), process, n, _storable(change["policy"]), change["time"], body),
        )

    def _tally(self, process: str, _n: int, tally: dict[str, Any], _body: str) -> None:
        key = [_storable(tally[part]) for part in ("policy", "name", "what")]
        self._db.execute(
            "INSERT INTO tallies VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (policy, name, what, process) DO UPDATE"
            " SET count = excluded.count, seq = excluded.seq WHERE excluded.count > count",
            (process, *key, tally["count"], self._next_seq()),
        )

    def _drop(self, _process: str, _n: int, drop: dict[str, Any], _body: str) -> None:
        self._count_drop(drop["reason"], drop["count"])

    def _count_drop(self, reason: str, count: int) -> None:
        self._db.execute(
            "INSERT INTO drops VALUES (?, ?)"
            " ON CONFLICT (reason) DO UPDATE SET count = count + excluded.count",
            (reason, count),
        )
