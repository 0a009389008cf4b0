"""Order without memory: what is too long to be sorted there is sorted on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Self

__all__ = ["Sorter"]

_MOST_IN_MEMORY = 20_000
"""Names, of all lists that are being read."""

_SHORT = 500
"""A list of so few is sorted in memory whatever else is there."""

_PAGE = 1_000


class Sorter:
    """Sorts lists of names, of which many may be read at a time, each a little.

    However many they are and however long, there is one file on disk, without a name, and gone
    when the sorter is closed.
    """

    def __init__(self) -> None:
        self._db: sqlite3.Connection | None = None
        self._lists = 0
        self._in_memory = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def in_order(self, names: Iterable[bytes]) -> Iterator[bytes]:
        """``names``, all different, by their bytes; all are taken before the first is given."""
        source = iter(names)
        first = list(islice(source, max(_SHORT, _MOST_IN_MEMORY - self._in_memory)))
        further = next(source, None)
        if further is None:
            return self._from_memory(first)
        return self._from_disk(chain(first, (further,), source))

    def _from_memory(self, names: list[bytes]) -> Iterator[bytes]:
        names.sort(reverse=True)
        self._in_memory += len(names)
        try:
            while names:
                self._in_memory -= 1
                yield names.pop()  # what has been read is free at once
        finally:
            self._in_memory -= len(names)

    def _from_disk(self, names: Iterable[bytes]) -> Iterator[bytes]:
        db = self._file()
        self._lists += 1
        number = self._lists
        db.execute("BEGIN")
        try:
            source = iter(names)
            while some := sorted(islice(source, _MOST_IN_MEMORY)):  # half the time of any order
                rows = ((number, name) for name in some)
                db.executemany("INSERT INTO names VALUES (?, ?)", rows)
        finally:
            db.execute("COMMIT")
        return self._read_disk(db, number)

    def _file(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = sqlite3.connect("", isolation_level=None)
            self._db.execute("PRAGMA journal_mode = OFF")  # nothing is ever rolled back
            self._db.execute(
                "CREATE TABLE names (list INTEGER, name BLOB, PRIMARY KEY (list, name))"
                " WITHOUT ROWID"
            )
        return self._db

    @staticmethod
    def _read_disk(db: sqlite3.Connection, number: int) -> Iterator[bytes]:
        query = "SELECT name FROM names WHERE list = ? AND name > ? ORDER BY name LIMIT ?"
        last = b""
        while rows := db.execute(query, (number, last, _PAGE)).fetchall():
            for (name,) in rows:
                yield name
            last = rows[-1][0]
        db.execute("DELETE FROM names WHERE list = ?", (number,))
