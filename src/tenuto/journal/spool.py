"""The file that one process appends to: a small SQLite database that nobody else writes.

A row is durable against the death of the process as soon as ``append`` returns. Against power
loss it is so in a spool of ``full`` durability; in another, as far as the operating system has
written it out.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from .durability import Durability, make_folder
from .encoding import readable
from .locks import FileLock

__all__ = ["Row", "Spool", "log_length", "rows_after", "spool_names"]

Row: TypeAlias = tuple[int, str, str]
"""A number that only grows within its process, the kind of record, its body as JSON."""

_CREATE = "CREATE TABLE records (n INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL)"
_INDEX_HEADER, _INITIALISED, _LENGTH = 48, 12, slice(16, 20)  # bytes
_ROWS_PER_STATEMENT = 300  # three values each; old builds of SQLite allow 999
_BUSY = 1.0  # seconds to wait while the log of a dead process is recovered
_ROW_OVERHEAD = 2048  # bytes: an append also writes the page that its row begins on

# Reentrant: a signal handler may read the journal in the middle of a read.
_one_by_one = threading.RLock()
_being_read: set[Path] = set()


class Spool:
    """The owner's side. Raises ``sqlite3.Error`` and ``OSError``; not for two threads at once."""

    def __init__(self, folder: Path, name: str, durability: Durability = "normal") -> None:
        make_folder(folder, durability)
        self.size = 0
        self._lock = self._new_lock(folder / f"{name}.lock")
        path = folder / f"{name}.db"
        try:
            self._db = self._new_database(path, durability)
        except BaseException:  # an interruption too: half a spool would be taken for a dead one's
            for leftover in folder.glob(f"{name}.db*"):
                leftover.unlink()
            self._lock.remove()
            raise

    @staticmethod
    def _new_lock(path: Path) -> FileLock:
        lock = FileLock.acquire(path)
        if lock is None:  # a mover is looking at it this very moment
            raise OSError(f"{path} is taken")
        return lock

    @staticmethod
    def _new_database(path: Path, durability: Durability) -> sqlite3.Connection:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA page_size = 1024")  # an append writes whole pages: small ones
            if durability == "full":  # a log of great price beside a file that was lost is no use
                db.execute("PRAGMA synchronous = FULL")
            else:
                db.execute("PRAGMA synchronous = OFF")  # an empty file is no loss
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(_CREATE)
            if durability == "normal":
                db.execute("PRAGMA synchronous = NORMAL")
            # A checkpoint would stall the caller who happens to cause it.
            db.execute("PRAGMA wal_autocheckpoint = 0")
        except BaseException:  # whatever it was, nobody else would close it
            db.close()
            raise
        return db

    def append(self, rows: Sequence[Row]) -> None:
        """Make all of ``rows`` durable; up to 300 at once are all or none."""
        for start in range(0, len(rows), _ROWS_PER_STATEMENT):
            part = rows[start : start + _ROWS_PER_STATEMENT]
            places = ",".join(["(?,?,?)"] * len(part))
            values = [value for row in part for value in row]
            # INSERT OR IGNORE: what was written before a later part failed is offered again.
            self._db.execute(f"INSERT OR IGNORE INTO records VALUES {places}", values)  # noqa: S608
            self.size += sum(len(row[2]) + _ROW_OVERHEAD for row in part)

    def close(self) -> None:
        """Leave the file to the mover."""
        try:
            self._db.close()
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Let go in a forked child: the spool is the parent's."""
        self._db.close()
        self._lock.forget()


def spool_names(folder: Path) -> list[str]:
    """All spools in ``folder``, oldest first within a process."""
    return sorted(path.name.removesuffix(".db") for path in folder.glob("*.db"))


def log_length(path: Path) -> int:
    """How many pages the log of the spool ``path`` had when its owner last committed.

    0 where that is not known. From the first words of the index beside the log, which come twice:
    https://www.sqlite.org/walformat.html#the_wal_index_file_format

    Only for a spool whose owner is gone. To close a file takes from the whole process the locks
    that SQLite has on it: another would think itself alone, and cut off what is mapped here.
    """
    with _one_by_one:
        if path in _being_read:
            return 0
        try:
            with path.with_name(f"{path.name}-shm").open("rb") as index:
                one, two = index.read(_INDEX_HEADER), index.read(_INDEX_HEADER)
        except OSError:
            return 0
    if len(one) < _INDEX_HEADER or one != two or not one[_INITIALISED]:
        return 0
    return int.from_bytes(one[_LENGTH], sys.byteorder)


def rows_after(path: Path, n: int, limit: int) -> list[Row]:
    """The first ``limit`` rows of somebody's spool with a number above ``n``.

    Empty where the file is gone, or its owner is still making it, or died of making it.
    """
    if not path.exists() or path.with_name(f"{path.name}-journal").exists():
        return []
    with _one_by_one, _noted(path):
        return _rows(path, n, limit)


@contextmanager
def _noted(path: Path) -> Generator[None, None, None]:
    outer = path in _being_read  # by what a signal handler has interrupted
    _being_read.add(path)
    try:
        yield
    finally:
        if not outer:
            _being_read.remove(path)


def _rows(path: Path, n: int, limit: int) -> list[Row]:
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=_BUSY)
    db.text_factory = readable
    try:
        query = "SELECT n, kind, body FROM records WHERE n > ? ORDER BY n LIMIT ?"
        return db.execute(query, (n, limit)).fetchall()
    except sqlite3.OperationalError as error:
        if not path.exists() or "no such table" in str(error):
            return []
        raise
    finally:
        db.close()
