"""The questions a journal answers, put to a connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from typing import Any, TypeVar

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
from .standing import cursor_key, forget_trouble

__all__ = [
    "SPOILT",
    "attempts",
    "begin",
    "damage",
    "drops",
    "event",
    "events",
    "everything",
    "groups",
    "identity",
    "ids_from",
    "latest_states",
    "outcome_of",
    "outcomes",
    "records_after",
    "records_of",
    "repeats",
    "seen_before",
    "tallies",
    "tell",
    "transitions",
]

T = TypeVar("T")

SPOILT = (AttributeError, KeyError, TypeError, ValueError)
"""What is raised where a body is not what was written."""

_ATTEMPT = "id, work, step, number, started, ended, fault_class, wait, duration, error_id"
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
        AND CASE WHEN json_valid(body)
            THEN json_extract(body, '$.detail.state') END IS NOT NULL
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
    return _made(lambda *row: _group(dict(zip(names, row, strict=True))), rows)


def _group(row: dict[str, Any]) -> Group:
    return Group(**{**row, "fault_class": FaultClass(row["fault_class"])})


def _made(make: Callable[..., T], rows: Iterable[tuple[Any, ...]]) -> list[T]:
    """What ``make`` makes of each row; one that damage has spoilt is passed over."""
    found = []
    for row in rows:
        with suppress(*SPOILT):
            found.append(make(*row))
    return found


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
    return _made(partial(_annotated, db), rows.fetchall())


def event(db: sqlite3.Connection, event_id: str) -> ErrorEvent | None:
    """The event of this id, with what was added to it later."""
    rows = db.execute("SELECT id, body FROM events WHERE id = ?", (event_id,)).fetchall()
    return next(iter(_made(partial(_annotated, db), rows)), None)


def ids_from(db: sqlite3.Connection, beginning: str) -> tuple[int, str]:
    """How many events have an id that begins so, and the first of these ids."""
    found: tuple[int, str] = db.execute(
        "SELECT count(*), coalesce(min(id), '') FROM events WHERE id >= ?1 AND id < ?1 || ?2",
        (beginning, chr(0x10FFFF)),
    ).fetchone()
    return found


def _annotated(db: sqlite3.Connection, event_id: str, body: str) -> ErrorEvent:
    return ErrorEvent.from_dict(_with_notes(db, json.loads(body), event_id))


def _with_notes(db: sqlite3.Connection, told: dict[str, Any], event_id: str) -> dict[str, Any]:
    """An event's body, with what was added to it later."""
    notes = db.execute(
        "SELECT body FROM annotations WHERE event_id = ? ORDER BY rowid", (event_id,)
    )
    for (note,) in notes:
        told["context"].update(json.loads(note)["context"])
    return told


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
    return _made(_outcome, rows)


def _outcome(body: str) -> Outcome:
    return Outcome.from_dict(json.loads(body))


def outcome_of(db: sqlite3.Connection, error_id: str) -> Outcome | None:
    """The newest outcome that an error was met on the way to."""
    rows = db.execute(
        "SELECT body FROM outcomes WHERE instr(body, ?) ORDER BY seq DESC", (json.dumps(error_id),)
    )
    found = _made(_outcome, rows)
    return next((outcome for outcome in found if error_id in outcome.errors), None)


def attempts(db: sqlite3.Connection, work: str | None, *, only_open: bool) -> list[Attempt]:
    """Attempts in the order in which they started; those at one work."""
    rows = db.execute(
        f"SELECT {_ATTEMPT} FROM attempts WHERE work IS NOT NULL"  # noqa: S608 - constants only
        " AND (?1 IS NULL OR work = ?1) AND (NOT ?2 OR ended = 'open') ORDER BY started, rowid",
        (None if work is None else json.dumps(work), only_open),
    )
    names = [name.strip() for name in _ATTEMPT.split(",")]
    return _made(lambda *row: _attempt(dict(zip(names, row, strict=True))), rows)


def _attempt(row: dict[str, Any]) -> Attempt:
    row["work"] = json.loads(row["work"])
    row["ended"] = AttemptEnd(row["ended"])
    row["fault_class"] = FaultClass(row["fault_class"]) if row["fault_class"] else None
    return Attempt(**row)


def transitions(
    db: sqlite3.Connection,
    policy: str | None,
    limit: int,
    between: tuple[float, float] | None = None,
) -> list[Transition]:
    """Changes of state, newest first; those of one policy; those between two times."""
    since, until = between or (None, None)
    rows = db.execute(
        "SELECT body FROM transitions WHERE (?1 IS NULL OR policy = ?1)"
        " AND (?2 IS NULL OR time BETWEEN ?2 AND ?3) ORDER BY time DESC, seq DESC LIMIT ?4",
        (policy, since, until, limit),
    )
    return _made(_transition, rows)


def _transition(body: str) -> Transition:
    return Transition(**json.loads(body))


def latest_states(db: sqlite3.Connection, policy: str) -> dict[str, Transition]:
    """The last change with a ``detail`` of a policy, and of each of its keys, newest first.

    The last is the one that was written last: the wall clock may have been set back.
    """
    name = policy.encode("utf-8", "backslashreplace").decode("utf-8")
    # Between these are the names that begin with the policy's and a bracket.
    bounds = {"policy": name, "first": f"{name}[", "end": f"{name}{chr(ord('[') + 1)}"}
    rows = db.execute(_LATEST_STATES, bounds)
    return dict(_made(lambda found, body: (found, _transition(body)), rows))


def tallies(db: sqlite3.Connection) -> list[Tally]:
    """What policies have counted, all processes together, by policy, name and what it was."""
    rows = db.execute(
        "SELECT policy, name, what, sum(count) FROM tallies GROUP BY policy, name, what"
    )
    return [Tally(policy=p, name=n, what=w, count=count) for p, n, w, count in rows]


def damage(db: sqlite3.Connection) -> list[str]:
    """What SQLite's own check finds wrong with the file, and what is no record; else nothing."""
    found = [line for (line,) in db.execute("PRAGMA integrity_check(20)") if line != "ok"]
    for table in ("events", "slices", "annotations", "outcomes", "transitions"):
        spoilt = f"SELECT count(*) FROM {table} WHERE NOT json_valid(body)"  # noqa: S608
        if count := db.execute(spoilt).fetchone()[0]:
            found.append(f"{count} of {table} cannot be read")
    return found


def everything(db: sqlite3.Connection) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every record, by kind, in the order in which they were moved here."""
    for kind, body in db.execute(_ALL):
        with suppress(*SPOILT):
            told = json.loads(body)
            yield kind, _with_notes(db, told, told["id"]) if kind == "event" else told
    for attempt in attempts(db, None, only_open=False):
        yield "attempt", asdict(attempt)
    for tally in tallies(db):
        yield "tally", asdict(tally)
    for reason, count in drops(db).items():
        yield "drop", {"reason": reason, "count": count}


def drops(db: sqlite3.Connection) -> dict[str, int]:
    """What was lost, by reason."""
    return dict(db.execute("SELECT reason, count FROM drops ORDER BY reason"))


def begin(db: sqlite3.Connection, reader: Reader) -> int:
    """Where a reader of the whole machine stands, which is written down when it first reads."""
    # At once: one that never gets anywhere has a lag that is seen.
    key = (cursor_key(reader),)
    found = db.execute("SELECT position FROM cursors WHERE name = ?", key).fetchone()
    if found is None:
        db.execute("INSERT OR IGNORE INTO cursors VALUES (?, 0)", key)
        found = db.execute("SELECT position FROM cursors WHERE name = ?", key).fetchone()
    return int(found[0])


def records_after(db: sqlite3.Connection, reader: Reader, now: float, limit: int) -> Batch:
    """What a reader of the whole machine is told next."""
    after = begin(db, reader)
    end = _unsettled(db, after, now) if reader.settled else _NEVER
    tables = _TOLD + _REST if reader.everything else _TOLD
    rows = db.execute(
        tables.format("seq > :after AND seq < :end") + _IN_ORDER.format("seq"),
        {"after": after, "end": end, "limit": limit},
    )
    found = rows.fetchall()

    def record(seq: int, _: int, process: str, kind: str, body: str) -> Record:
        told = json.loads(body)
        if kind == "event":
            told = _with_notes(db, told, told["id"])
        return _without_told(db, reader, Record(seq, kind, told, process))

    records = tuple(_made(record, found))
    return Batch(
        records,
        found[-1][0] if found else after,
        more=len(found) == limit,
        growing=end != _NEVER,
        spoilt=len(records) < len(found),
    )


def _unsettled(db: sqlite3.Connection, after: int, now: float) -> int:
    """The first slice that may still grow: its event was kept a short while ago.

    One of the future was kept before the clock was set back. Nobody waits until then.
    """
    row = db.execute(
        "SELECT min(slices.seq) FROM slices JOIN events ON events.id = slices.event_id"
        " WHERE slices.seq > ? AND events.time > ? AND events.time <= ?",
        (after, now - SETTLED_AFTER, now),
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
        key = cursor_key(reader)
        db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (key, position))
        forget_trouble(db, reader)
        db.execute("COMMIT")
    except BaseException:  # an interruption too: no transaction is left open
        db.execute("ROLLBACK") if db.in_transaction else None
        raise


def identity(db: sqlite3.Connection) -> str:
    """The name of the file among those of other machines."""
    return str(db.execute("SELECT id FROM identity").fetchone()[0])


def records_of(db: sqlite3.Connection, process: str, n: int, limit: int) -> list[Record]:
    """What a reader of one process is told next, as far as the archive has it."""
    rows = db.execute(
        _TOLD.format("process = :process AND n > :n") + _IN_ORDER.format("n"),
        {"process": process, "n": n, "limit": limit},
    )
    return _made(lambda _, n, __, kind, body: Record(n, kind, json.loads(body)), rows)
