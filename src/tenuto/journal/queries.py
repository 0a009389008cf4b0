"""The questions a journal answers, put to a connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from tenuto.capture import ErrorEvent
from tenuto.errors import FaultClass

from .records import (
    SETTLED_AFTER,
    Attempt,
    AttemptEnd,
    Batch,
    Group,
    Outcome,
    Reader,
    Record,
    Tally,
    Transition,
)

__all__ = [
    "attempts",
    "damage",
    "drops",
    "event",
    "events",
    "everything",
    "groups",
    "identity",
    "lags",
    "latest_states",
    "outcomes",
    "records_after",
    "records_of",
    "repeats",
    "seen_before",
    "tallies",
    "tell",
    "transitions",
]

_ATTEMPT = "id, work, step, number, started, ended, fault_class, wait, duration, error_id"
_OF_ERRORS, _OF_ALL = "reader:", "reader-of-all:"
_ERROR_TABLES, _OTHER_TABLES = ("events", "slices", "transitions"), ("outcomes", "tallies")
_NEVER = 2**62  # beyond every seq
_TOLD = """
SELECT seq AS seq, n AS n, process AS process, 'event' AS kind, body FROM events WHERE {0}
UNION ALL SELECT seq, n, process, 'slice', body FROM slices WHERE {0}
UNION ALL SELECT seq, n, process, 'transition', body FROM transitions WHERE {0}
"""
_REST = """
UNION ALL SELECT seq, 0, '', 'outcome', body FROM outcomes WHERE {0}
UNION ALL SELECT seq, 0, process, 'tally', json_object(
    'policy', policy, 'name', name, 'what', what, 'count', count) FROM tallies WHERE {0}
"""
_IN_ORDER = "ORDER BY {0} LIMIT :limit"

_LATEST_STATES = """
SELECT policy, body FROM transitions WHERE seq IN (
    SELECT max(seq) FROM transitions
    WHERE (policy = :policy OR policy >= :first AND policy < :end)
        AND json_extract(body, '$.detail.state') IS NOT NULL
    GROUP BY policy
) ORDER BY seq DESC
"""

_ALL = """
SELECT kind, body FROM (
    SELECT seq, 'event' AS kind, body FROM events
    UNION ALL SELECT seq, 'slice', body FROM slices
    UNION ALL SELECT seq, 'outcome', body FROM outcomes
    UNION ALL SELECT seq, 'transition', body FROM transitions
) ORDER BY seq
"""


def groups(db: sqlite3.Connection) -> list[Group]:
    """All groups, the most frequent first."""
    rows = db.execute("SELECT * FROM groups ORDER BY count DESC, last DESC, fingerprint")
    names = [column[0] for column in rows.description]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [Group(**{**row, "fault_class": FaultClass(row["fault_class"])}) for row in found]


def events(db: sqlite3.Connection, group: str | None, limit: int) -> list[ErrorEvent]:
    """Events that were kept whole, newest first; of one group by its fingerprint."""
    if group is None:
        rows = db.execute(
            "SELECT id, body FROM events ORDER BY time DESC, seq DESC LIMIT ?",
            (limit,),
        )
    else:
        rows = db.execute(
            "SELECT id, body FROM events WHERE fingerprint = ? "
            "ORDER BY time DESC, seq DESC LIMIT ?",
            (group, limit),
        )
    return [_annotated(db, event_id, body) for event_id, body in rows.fetchall()]


def event(db: sqlite3.Connection, event_id: str) -> ErrorEvent | None:
    """The event of this id, with what was added to it later."""
    row = db.execute("SELECT id, body FROM events WHERE id = ?", (event_id,)).fetchone()
    return None if row is None else _annotated(db, *row)


def _annotated(db: sqlite3.Connection, event_id: str, body: str) -> ErrorEvent:
    told = json.loads(body)
    notes = db.execute(
        "SELECT body FROM annotations WHERE event_id = ? ORDER BY rowid", (event_id,)
    )
    for (note,) in notes:
        added = json.loads(note)
        told["context"].update(added["context"])
        if added["handled_by"] is not None:
            told["handled_by"].append(added["handled_by"])
    return ErrorEvent.from_dict(told)


def repeats(db: sqlite3.Connection, event_id: str) -> int:
    """How many repeats were folded into an event."""
    row = db.execute("SELECT count FROM slices WHERE event_id = ?", (event_id,)).fetchone()
    return row[0] if row else 0


def seen_before(db: sqlite3.Connection, group: str, position: int) -> float | None:
    """The time of the last event of a group that was kept whole before a place in the journal."""
    found: tuple[float | None] = db.execute(
        "SELECT max(time) FROM events WHERE fingerprint = ? AND seq < ?", (group, position)
    ).fetchone()
    return found[0]


def outcomes(db: sqlite3.Connection, limit: int | None) -> list[Outcome]:
    """Outcomes, oldest first; the newest ``limit`` of them."""
    rows = db.execute(
        "SELECT body FROM (SELECT seq, body FROM outcomes ORDER BY seq DESC LIMIT ?) ORDER BY seq",
        (-1 if limit is None else limit,),
    )
    return [Outcome.from_dict(json.loads(body)) for (body,) in rows]


def attempts(db: sqlite3.Connection, work: str | None, *, only_open: bool) -> list[Attempt]:
    """Attempts in the order in which they started; those at one work."""
    rows = db.execute(
        f"SELECT {_ATTEMPT} FROM attempts WHERE work IS NOT NULL"  # noqa: S608 - constants only
        " AND (?1 IS NULL OR work = ?1) AND (NOT ?2 OR ended = 'open') ORDER BY started, rowid",
        (None if work is None else json.dumps(work), only_open),
    )
    names = [name.strip() for name in _ATTEMPT.split(",")]
    return [_attempt(dict(zip(names, row, strict=True))) for row in rows]


def _attempt(row: dict[str, Any]) -> Attempt:
    row["work"] = json.loads(row["work"])
    row["ended"] = AttemptEnd(row["ended"])
    row["fault_class"] = FaultClass(row["fault_class"]) if row["fault_class"] else None
    return Attempt(**row)


def transitions(db: sqlite3.Connection, policy: str | None, limit: int) -> list[Transition]:
    """Changes of state, newest first; those of one policy."""
    rows = db.execute(
        "SELECT body FROM transitions WHERE ?1 IS NULL OR policy = ?1"
        " ORDER BY time DESC, seq DESC LIMIT ?2",
        (policy, limit),
    )
    return [Transition(**json.loads(body)) for (body,) in rows]


def latest_states(db: sqlite3.Connection, policy: str) -> dict[str, Transition]:
    """The last change with a ``detail`` of a policy, and of each of its keys, newest first.

    The last is the one that was written last: the wall clock may have been set back.
    """
    name = policy.encode("utf-8", "backslashreplace").decode("utf-8")
    # Between these are the names that begin with the policy's and a bracket.
    bounds = {"policy": name, "first": f"{name}[", "end": f"{name}{chr(ord('[') + 1)}"}
    rows = db.execute(_LATEST_STATES, bounds)
    return {found: Transition(**json.loads(body)) for found, body in rows}


def tallies(db: sqlite3.Connection) -> list[Tally]:
    """What policies have counted, all processes together, by policy, name and what it was."""
    rows = db.execute(
        "SELECT policy, name, what, sum(count) FROM tallies GROUP BY policy, name, what"
    )
    return [Tally(policy=p, name=n, what=w, count=count) for p, n, w, count in rows]


def damage(db: sqlite3.Connection) -> list[str]:
    """What SQLite's own check finds wrong with the file; nothing, where it is whole."""
    found = [line for (line,) in db.execute("PRAGMA integrity_check(20)")]
    return [] if found == ["ok"] else found


def everything(db: sqlite3.Connection) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every record, by kind, in the order in which they were moved here."""
    rows = db.execute(_ALL)
    for kind, body in rows:
        yield kind, json.loads(body)
    for attempt in attempts(db, None, only_open=False):
        yield "attempt", asdict(attempt)
    for tally in tallies(db):
        yield "tally", asdict(tally)
    for reason, count in drops(db).items():
        yield "drop", {"reason": reason, "count": count}


def drops(db: sqlite3.Connection) -> dict[str, int]:
    """What was lost, by reason."""
    return dict(db.execute("SELECT reason, count FROM drops ORDER BY reason"))


def _cursor_key(reader: Reader) -> str:
    return f"{_OF_ALL if reader.everything else _OF_ERRORS}{reader.name}"


def records_after(db: sqlite3.Connection, reader: Reader, now: float, limit: int) -> Batch:
    """What a reader of the whole machine is told next."""
    # Written down at once: a reader that never gets anywhere has a lag that is seen.
    key = (_cursor_key(reader),)
    db.execute("INSERT OR IGNORE INTO cursors VALUES (?, 0)", key)
    after = db.execute("SELECT position FROM cursors WHERE name = ?", key).fetchone()[0]
    end = _unsettled(db, after, now - SETTLED_AFTER) if reader.settled else _NEVER
    tables = _TOLD + _REST if reader.everything else _TOLD
    rows = db.execute(
        tables.format("seq > :after AND seq < :end") + _IN_ORDER.format("seq"),
        {"after": after, "end": end, "limit": limit},
    )
    records = tuple(
        _without_told(db, reader, Record(seq, kind, json.loads(body), process))
        for seq, _, process, kind, body in rows.fetchall()
    )
    position = records[-1].position if records else after
    return Batch(records, position, growing=end != _NEVER)


def _unsettled(db: sqlite3.Connection, after: int, before: float) -> int:
    """The first slice that may still grow: its event was kept less long ago than that."""
    row = db.execute(
        "SELECT min(slices.seq) FROM slices JOIN events ON events.id = slices.event_id"
        " WHERE slices.seq > ? AND events.time > ?",
        (after, before),
    ).fetchone()
    return _NEVER if row[0] is None else int(row[0])


def _without_told(db: sqlite3.Connection, reader: Reader, record: Record) -> Record:
    if record.kind != "slice":
        return record
    row = db.execute(
        "SELECT count FROM told WHERE reader = ? AND event_id = ?",
        (reader.name, record.body["event_id"]),
    ).fetchone()
    return replace(record, untold=record.body["count"] - (row[0] if row else 0))


def tell(db: sqlite3.Connection, reader: Reader, records: Sequence[Record], position: int) -> None:
    """Write down that ``reader`` has been told of ``records``, and of all up to ``position``."""
    db.execute("BEGIN IMMEDIATE")
    try:
        db.executemany(
            "INSERT OR REPLACE INTO told VALUES (?, ?, ?)",
            [
                (reader.name, each.body["event_id"], each.body["count"])
                for each in records
                if each.kind == "slice"
            ],
        )
        key = _cursor_key(reader)
        db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (key, position))
        db.execute("COMMIT")
    except BaseException:  # an interruption too: no transaction is left open
        db.execute("ROLLBACK") if db.in_transaction else None
        raise


def identity(db: sqlite3.Connection) -> str:
    """The name of the file among those of other machines."""
    return str(db.execute("SELECT id FROM identity").fetchone()[0])


def lags(db: sqlite3.Connection) -> dict[str, int]:
    """Of each reader that is known, how many records it has not been told of."""
    found = {}
    rows = db.execute("SELECT name, position FROM cursors WHERE name GLOB 'reader*' ORDER BY name")
    for key, position in rows.fetchall():
        of_all = key.startswith(_OF_ALL)
        tables = (*_ERROR_TABLES, *_OTHER_TABLES) if of_all else _ERROR_TABLES
        counts = (
            db.execute(f"SELECT count(*) FROM {table} WHERE seq > ?", (position,)).fetchone()[0]  # noqa: S608 - constants only
            for table in tables
        )
        found[key.removeprefix(_OF_ALL if of_all else _OF_ERRORS)] = sum(counts)
    return found


def records_of(db: sqlite3.Connection, process: str, n: int, limit: int) -> list[Record]:
    """What a reader of one process is told next, as far as the archive has it."""
    rows = db.execute(
        _TOLD.format("process = :process AND n > :n") + _IN_ORDER.format("n"),
        {"process": process, "n": n, "limit": limit},
    )
    return [Record(n, kind, json.loads(body)) for _, n, _, kind, body in rows]
