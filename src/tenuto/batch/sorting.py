"""Order without memory: what is too long to be sorted there is sorted on disk."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain, islice

__all__ = ["in_order"]

_MOST_IN_MEMORY = 20_000


def in_order(names: Iterable[tuple[str, bool]]) -> Iterator[tuple[str, bool]]:
    """``names``, each with a mark, by the bytes of the name; all are taken before the first."""
    source = iter(names)
    first = list(islice(source, _MOST_IN_MEMORY))
    rest = list(islice(source, 1))
    if not rest:
        return iter(sorted(first, key=_bytes))
    return _on_disk(chain(first, rest, source))


def _bytes(named: tuple[str, bool]) -> bytes:
    return os.fsencode(named[0])


def _on_disk(names: Iterator[tuple[str, bool]]) -> Iterator[tuple[str, bool]]:
    db = sqlite3.connect("", isolation_level=None)  # a file of its own, gone when it is closed
    db.execute("CREATE TABLE names (name BLOB PRIMARY KEY, mark) WITHOUT ROWID")
    db.execute("BEGIN")
    for name, mark in names:
        db.execute("INSERT OR IGNORE INTO names VALUES (?, ?)", (os.fsencode(name), mark))
    db.execute("COMMIT")
    return _read(db)


def _read(db: sqlite3.Connection) -> Iterator[tuple[str, bool]]:
    with closing(db):
        for name, mark in db.execute("SELECT name, mark FROM names ORDER BY name"):
            yield os.fsdecode(name), bool(mark)
