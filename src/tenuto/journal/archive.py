"""The one file that all spools of a machine are moved into: ``journal.db``."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tenuto.capture import new_id
from tenuto.clock import Clock

from .encoding import readable
from .losses import Losses
from .schema import migrate

__all__ = ["SET_ASIDE", "Archive", "is_damage"]

SET_ASIDE = "a damaged journal was set aside"

_LOG_KEPT = 8 << 20  # bytes
_BUSY = 5.0  # seconds to wait for a reader's cursor to be written


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken, rather than the disk full or the file locked."""
    name = getattr(error, "sqlite_errorname", "")
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


class Archive:
    """A connection to ``journal.db`` that follows the file. Not for two threads at once."""

    def __init__(self, folder: Path, clock: Clock, losses: Losses) -> None:
        self.path = folder / "journal.db"
        self.clock = clock
        self._losses = losses
        self._db: sqlite3.Connection | None = None
        self._inode = 0

    def connect(self) -> sqlite3.Connection:
        """The connection. Raises ``sqlite3.Error`` or ``OSError`` where there can be none."""
        if self.was_replaced():
            self.close()  # another process set the file aside
        if self._db is None:
            self._db = self._open()
            self._inode = self.path.stat().st_ino
        return self._db

    def set_aside(self) -> Path:
        """Give the damaged file another name, for someone to look at; the next one begins empty.

        Returns its new path. To be called only under the lease.
        """
        self.close()
        suffix = f".damaged-{new_id(self.clock)}"
        for part in ("", "-wal", "-shm"):  # a later rescue needs the log beside its database
            file = self.path.with_name(self.path.name + part)
            if file.exists():
                file.rename(self.path.with_name(f"{self.path.name}{suffix}{part}"))
        self._losses.add(SET_ASIDE)
        return self.path.with_name(f"{self.path.name}{suffix}")

    def checkpoint(self) -> bool:
        """Write out what is in the file's log; False where a reader of older pages is in the way.

        Raises ``sqlite3.Error`` or ``OSError``.
        """
        _, logged, written = self.connect().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return bool(logged == written)

    def close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def was_replaced(self) -> bool:
        """Whether the file that is open here is no longer the one of that name."""
        if self._db is None:
            return False
        try:
            return self.path.stat().st_ino != self._inode
        except FileNotFoundError:
            return True

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        db = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=_BUSY
        )
        db.text_factory = readable
        try:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heeded by a new file only
            db.execute("PRAGMA journal_mode = WAL")
            # After a reader has stood in the way for long, the log does not stay as long as it was.
            db.execute(f"PRAGMA journal_size_limit = {_LOG_KEPT}")
            # A place that a reader was told of must not be another record's after a power cut.
            db.execute("PRAGMA synchronous = FULL")
            migrate(db)
        except BaseException:  # whatever it was, nobody else would close it
            db.close()
            raise
        return db
