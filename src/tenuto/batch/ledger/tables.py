"""The tables of ``ledger.db``.

``outcomes`` is what stays: a row for each input that has ever had an outcome, the latest. ``plan``
and the tables after it are the work of one run; the next one makes them anew.

Paths are keys (see ``keys``). An input goes by its *identity*, its path by the real name of its
folder; what it was called is written down where that is another. An output goes by its place below
the output folder, in a form in which two places that cannot both be there are equal.
"""

from __future__ import annotations

import sqlite3

from tenuto.errors import ConfigurationError

__all__ = ["ROW", "check_version", "make_plan_tables", "prepare", "set_up"]

VERSION = 1

_LASTING = """
CREATE TABLE outcomes (
    id INTEGER PRIMARY KEY,
    identity NOT NULL UNIQUE,
    input,  -- as it was named, where that is another
    key UNIQUE,  -- of the output; in quarantine, of what an earlier version has become
    place,  -- of the output, where that is another
    carried TEXT,  -- further columns of the manifest: JSON
    status TEXT NOT NULL,
    tier TEXT,
    engine TEXT,
    quality_before REAL,
    quality_after REAL,
    seconds REAL,
    audio_seconds REAL,
    attempts INTEGER,
    fault_class TEXT,
    error_group TEXT,
    errors TEXT,  -- JSON; NULL where there were none
    reason TEXT,
    content TEXT,
    size INTEGER,
    modified_ns INTEGER,
    parameters INTEGER
);
CREATE INDEX outcomes_by_kind ON outcomes (status, tier, fault_class);
CREATE INDEX outcomes_by_group ON outcomes (error_group) WHERE error_group IS NOT NULL;

-- What the work was done with: settings and versions.
CREATE TABLE parameters (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, body TEXT);

CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""

# ``cohort`` is 0 for what may begin at once, -N for a canary of cohort N, N for who waits for it.
_PLAN = """
CREATE {temp} TABLE plan (
    id INTEGER PRIMARY KEY,
    identity NOT NULL UNIQUE,
    input,
    key NOT NULL UNIQUE,
    place,
    carried TEXT,
    content TEXT NOT NULL DEFAULT '',  -- with which an earlier outcome holds
    size INTEGER,
    modified_ns INTEGER,
    cohort INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX {schema}.plan_waiting ON plan (cohort) WHERE cohort > 0;

-- The outcomes that hold, of inputs that were named in this run.
CREATE {temp} TABLE left_alone (outcome INTEGER PRIMARY KEY);

-- The folders that have been read, as device:inode; by a pattern, with how far it had come.
CREATE {temp} TABLE folders (identity TEXT PRIMARY KEY) WITHOUT ROWID;

-- The last number that was given to an output of that plain name.
CREATE {temp} TABLE numbers (key PRIMARY KEY, latest INTEGER NOT NULL) WITHOUT ROWID;

CREATE {temp} TABLE bad_rows (source TEXT NOT NULL, line INTEGER NOT NULL, reason TEXT NOT NULL);
"""

_OF_THE_PLAN = ("plan", "left_alone", "folders", "numbers", "bad_rows")

ROW = (
    "id, identity, input, key, place, carried, status, tier, engine, quality_before, quality_after,"
    " seconds, audio_seconds, attempts, fault_class, error_group, errors, reason, content, size,"
    " modified_ns, (SELECT digest FROM parameters WHERE id = outcomes.parameters)"
)
"""The columns that ``rows.entry_of`` reads."""

_CACHE = 64_000_000  # bytes; enough for the inner pages of every index of ten million inputs


def prepare(db: sqlite3.Connection) -> None:
    """What every connection needs. Raises sqlite3.Error where the file cannot be read."""
    db.execute(f"PRAGMA cache_size = -{_CACHE // 1024}")
    db.execute("PRAGMA busy_timeout = 10000")


def set_up(db: sqlite3.Connection) -> None:
    """Make the tables, where they are not there.

    Raises ConfigurationError where a later version of this program has made them.
    """
    if db.execute("PRAGMA user_version").fetchone()[0] == 0:
        tables = _LASTING + _PLAN.format(temp="", schema="main")
        db.executescript(f"BEGIN IMMEDIATE; {tables} PRAGMA user_version = {VERSION}; COMMIT;")
    check_version(db)


def check_version(db: sqlite3.Connection) -> None:
    """Raise ConfigurationError unless this version of the program has made the tables."""
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if found != VERSION:
        raise ConfigurationError(
            "the output folder", f"its ledger has version {found}; this program knows {VERSION}"
        )


def make_plan_tables(db: sqlite3.Connection, *, rehearsal: bool) -> None:
    """Empty tables for a plan; those of a rehearsal are temporary, and hide the lasting ones."""
    if rehearsal:
        db.executescript(_PLAN.format(temp="TEMP", schema="temp"))
        return
    for table in _OF_THE_PLAN:
        db.execute(f"DELETE FROM {table}")  # noqa: S608 - constants only
