"""The journal as it would be if everything could be moved: a copy in memory.

For the days when the disk is full or the archive cannot be written. Then it is better to read
slowly than to read half.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from .apply import Applier
from .archive import Archive
from .encoding import readable
from .mover import process_of
from .schema import migrate
from .spool import Row, rows_after, spool_names

__all__ = ["overlay"]

_ALL = 2**31


def overlay(archive: Archive, spools: Path, process: str, ring: list[Row]) -> sqlite3.Connection:
    """A database in memory: the archive, every spool, and this process's ``ring``."""
    # Spools first: what is moved while they are read, the archive then has too.
    waiting = {name: _rows(spools / f"{name}.db") for name in spool_names(spools)}
    try:
        return _with(_copy_of(archive), waiting, process, ring)
    except sqlite3.Error:  # it is damaged in a way that the mover has not met yet
        return _with(_empty(), waiting, process, ring)


def _with(
    copy: sqlite3.Connection, waiting: dict[str, list[Row]], process: str, ring: list[Row]
) -> sqlite3.Connection:
    try:
        copy.execute("BEGIN")
        applier = Applier(copy)
        for name, rows in waiting.items():
            key = (f"spool:{name}",)
            moved = copy.execute("SELECT position FROM cursors WHERE name = ?", key).fetchone()
            for n, kind, body in rows:
                if moved is None or n > moved[0]:
                    applier.apply(process_of(name), n, kind, body)
        for n, kind, body in ring:
            applier.apply(process, n, kind, body)
        applier.finish()
        copy.execute("COMMIT")
    except BaseException:  # whatever it was, nobody else would close it
        copy.close()
        raise
    return copy


def _rows(path: Path) -> list[Row]:
    try:
        return rows_after(path, 0, _ALL)
    except sqlite3.Error:
        return []  # damaged: the next mover sets it aside and counts it


def _copy_of(archive: Archive) -> sqlite3.Connection:
    copy = _memory()
    try:
        archive.connect().backup(copy)
    except (OSError, sqlite3.Error):
        copy.close()  # half a copy is of no use
        return _empty()
    return copy


def _empty() -> sqlite3.Connection:
    copy = _memory()
    migrate(copy)
    return copy


def _memory() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    db.text_factory = readable
    return db
