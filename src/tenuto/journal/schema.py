"""The tables of ``journal.db``, and how older files get them."""

from __future__ import annotations

import sqlite3

__all__ = ["VERSION", "migrate"]

_FIRST = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    process TEXT NOT NULL,
    n INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    time REAL NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX events_by_time ON events (time, seq);
CREATE INDEX events_by_group ON events (fingerprint, time, seq);
CREATE INDEX events_by_process ON events (process, n);

CREATE TABLE annotations (event_id TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX annotations_by_event ON annotations (event_id);

CREATE TABLE groups (
    fingerprint TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    message TEXT NOT NULL,
    "where" TEXT NOT NULL,
    fault_class TEXT NOT NULL,
    count INTEGER NOT NULL,
    first REAL NOT NULL,
    last REAL NOT NULL,
    latest TEXT NOT NULL
) WITHOUT ROWID;

-- The repeats of one kept event: count and revision are cumulative and only grow.
CREATE TABLE slices (
    event_id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL UNIQUE,
    process TEXT NOT NULL,
    n INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    count INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    first REAL NOT NULL,
    last REAL NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX slices_by_group ON slices (fingerprint, first);
CREATE INDEX slices_by_process ON slices (process, n);

CREATE TABLE outcomes (
    seq INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    status TEXT NOT NULL,
    body TEXT NOT NULL
);

CREATE TABLE attempts (
    id TEXT PRIMARY KEY,
    process TEXT,
    work TEXT,
    step TEXT,
    number INTEGER,
    started REAL,
    ended TEXT NOT NULL DEFAULT 'open',
    fault_class TEXT,
    wait REAL,
    duration REAL,
    error_id TEXT
);
CREATE INDEX attempts_open ON attempts (ended) WHERE ended = 'open';
CREATE INDEX attempts_by_work ON attempts (work, started);

CREATE TABLE transitions (
    seq INTEGER PRIMARY KEY,
    process TEXT NOT NULL,
    n INTEGER NOT NULL,
    policy TEXT NOT NULL,
    time REAL NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX transitions_by_policy ON transitions (policy, time, seq);
CREATE INDEX transitions_by_process ON transitions (process, n);

-- How far each spool has been moved (spool:NAME), and each reader has read (reader:NAME).
CREATE TABLE cursors (name TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE drops (reason TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;

-- The last seq that was given out: it never goes back, even where the newest rows are pruned.
CREATE TABLE sequence (value INTEGER NOT NULL);
INSERT INTO sequence VALUES (0);
"""

_READERS = """
-- What each process has counted; its counts are cumulative and only grow.
CREATE TABLE tallies (
    process TEXT NOT NULL,
    policy TEXT NOT NULL,
    name TEXT NOT NULL,
    what TEXT NOT NULL,
    count INTEGER NOT NULL,
    seq INTEGER NOT NULL UNIQUE,
    PRIMARY KEY (policy, name, what, process)
) WITHOUT ROWID;

-- How many repeats of a slice a reader has been told of.
CREATE TABLE told (
    reader TEXT NOT NULL,
    event_id TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (reader, event_id)
) WITHOUT ROWID;

-- The name of this file among those of other machines; a new file is a new one.
CREATE TABLE identity (id TEXT NOT NULL);
INSERT INTO identity VALUES (lower(hex(randomblob(8))));

-- What has been taken in from the journals of other machines.
CREATE TABLE collected (
    journal TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (journal, position)
) WITHOUT ROWID;
"""

_TRENDS = """
-- How often each group was seen in each ten minutes since 1970: for trends, and so not kept long.
CREATE TABLE recent (
    start INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (start, fingerprint)
) WITHOUT ROWID;
INSERT INTO recent
    SELECT CAST(at / 600 AS INTEGER), fingerprint, sum(count) FROM (
        SELECT time AS at, fingerprint, 1 AS count FROM events
        UNION ALL SELECT last, fingerprint, count FROM slices
    ) WHERE at > (SELECT max(last) - 86400 FROM groups) GROUP BY 1, 2;

-- The readers that could not be told when they were told last: since when, and why.
CREATE TABLE troubles (
    reader TEXT PRIMARY KEY,
    since REAL NOT NULL,
    refused_until REAL,
    error TEXT NOT NULL
) WITHOUT ROWID;
"""

_MIGRATIONS = (_FIRST, _READERS, _TRENDS)
VERSION = len(_MIGRATIONS)


def migrate(db: sqlite3.Connection) -> None:
    """Bring the file to this version of the tables.

    Raises ``sqlite3.NotSupportedError`` if it was written by a newer one.
    """
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if found == VERSION:
        return
    if found > VERSION:
        raise sqlite3.NotSupportedError(f"the journal has version {found}; known is {VERSION}")
    steps = "".join(_MIGRATIONS[found:])
    db.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {VERSION}; COMMIT;")
