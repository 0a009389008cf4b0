"""Moves what is in the spools into the archive. Of all processes, one at a time does."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

from .apply import UNREADABLE, Applier
from .archive import Archive, is_damage
from .locks import FileLock
from .losses import Losses
from .rescue import rescue
from .retention import Pruned, Retention, prune
from .spool import log_length, rows_after, spool_names

__all__ = ["Moved", "Mover", "process_of"]

SPOOL_DAMAGED = "a damaged spool was set aside"

_BATCH = 500  # rows in one transaction
_FIRST_PRUNING = 60.0  # seconds: a program that ends at once has no time for it
_PRUNE_EVERY = 3600.0
_CHECK_EVERY = 3600.0


class Moved(Enum):
    """How far a mover has come."""

    ALL = auto()
    """Whatever was in a spool when it began is in the archive."""
    BUSY = auto()
    """Somebody else has the lease."""
    FAILED = auto()
    """The archive cannot be written now. The spools keep what they have."""


def process_of(spool: str) -> str:
    """The process that owns, or owned, the spool of this name."""
    return spool.rpartition("-")[0]


class Mover:
    """Reads beyond its cursor in each spool, and removes those whose owner is gone.

    Row and cursor are written in one transaction: each row is moved exactly once. Not for two
    threads at once.
    """

    def __init__(
        self,
        folder: Path,
        spools: Path,
        archive: Archive,
        losses: Losses,
        retention: Retention,
    ) -> None:
        self._retention = retention
        self._clock = archive.clock
        self._prune_at = self._clock.monotonic() + _FIRST_PRUNING
        self._check_at = self._clock.monotonic()
        self._folder = folder
        self._spools = spools
        self._archive = archive
        self._losses = losses

    def move(self) -> Moved:
        """Move all there is. Never raises."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lease = FileLock.acquire(self._folder / "mover.lock")
        except OSError as error:
            self._losses.add(f"cannot move spools: {error.strerror}")
            return Moved.FAILED
        if lease is None:
            return Moved.BUSY
        try:
            self._move_all()
            self._prune_when_due()
        except (OSError, sqlite3.Error) as error:
            if isinstance(error, sqlite3.Error) and (is_damage(error) or self._is_damaged()):
                return self._begin_anew()
            self._losses.add(f"cannot move spools: {error}")
            return Moved.FAILED
        finally:
            lease.release()
        return Moved.ALL

    def prune(self, retention: Retention | None = None) -> Pruned | None:
        """Let go now of what is not kept; None where somebody else has the lease.

        Raises ``sqlite3.Error`` or ``OSError``.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lease = FileLock.acquire(self._folder / "mover.lock")
        if lease is None:
            return None
        try:
            self._move_all()
            return self._prune(retention or self._retention)
        finally:
            lease.release()

    def _prune_when_due(self) -> None:
        if self._clock.monotonic() >= self._prune_at:
            self._prune_at = self._clock.monotonic() + _PRUNE_EVERY
            self._prune(self._retention)

    def _prune(self, retention: Retention) -> Pruned:
        self._sweep()
        return prune(self._archive.connect(), retention, self._clock.now())

    def _sweep(self) -> None:
        """Remove the locks of spools that are gone, or whose owner died before it made them."""
        for path in self._spools.glob("*.lock"):
            if not path.with_suffix(".db").exists():
                lock = FileLock.acquire(path)
                if lock is not None:
                    lock.remove()

    def replace_damaged(self) -> None:
        """Begin a new archive in place of one in which damage was found, if nobody else has yet.

        Never raises.
        """
        with suppress(OSError):  # then it is found again, by whoever asks next
            lease = FileLock.acquire(self._folder / "mover.lock")
            if lease is not None:
                try:
                    if not self._archive.was_replaced():
                        self._begin_anew()
                finally:
                    lease.release()

    def _is_damaged(self) -> bool:
        """Whether it is not what SQLite took it for, such as a full disk; asked once an hour."""
        if self._clock.monotonic() < self._check_at:
            return False
        self._check_at = self._clock.monotonic() + _CHECK_EVERY
        try:
            found = self._archive.connect().execute("PRAGMA quick_check(1)").fetchone()
            return bool(found != ("ok",))
        except (OSError, sqlite3.Error) as error:
            return isinstance(error, sqlite3.Error) and is_damage(error)

    def _begin_anew(self) -> Moved:
        try:
            aside = self._archive.set_aside()
            self._rescue(aside)
            self._move_all()
        except (OSError, sqlite3.Error) as error:
            self._losses.add(f"cannot move spools: {error}")
            return Moved.FAILED
        return Moved.ALL

    def _rescue(self, aside: Path) -> None:
        db = self._archive.connect()
        try:
            useless = rescue(aside, db)
        except Exception as error:  # a damaged file may hold anything
            self._losses.add(f"nothing of it could be read: {error}")
        else:
            if useless:
                self._losses.add(UNREADABLE, useless)

    def _move_all(self) -> None:
        db = self._archive.connect()
        names = spool_names(self._spools)
        ended = [name for name in names if self._move_one(db, name)]
        # Until it is in the file itself, damage to the file's log would take the only copy.
        if ended and self._archive.checkpoint():
            for name in ended:
                self._remove(name)
        self._forget_others(db, spool_names(self._spools))

    def _move_one(self, db: sqlite3.Connection, name: str) -> bool:
        """Copy what is new in a spool; whether nothing will ever be added to it."""
        path = self._spools / f"{name}.db"
        lock = FileLock.acquire(self._spools / f"{name}.lock")
        length = log_length(path) if lock is not None else 0
        try:
            self._copy_rows(db, name)
            if lock is not None and log_length(path) < length:  # it was cut off, or torn
                self._set_aside(name)
                return False
        except _SpoolError:
            if lock is not None:  # else its owner will notice too, and begin another
                self._set_aside(name)
            return False
        finally:
            if lock is not None:
                lock.release()
        return lock is not None

    def _copy_rows(self, db: sqlite3.Connection, name: str) -> None:
        cursor = _cursor(db, name)
        while True:
            try:
                rows = rows_after(self._spools / f"{name}.db", cursor, _BATCH)
            except sqlite3.Error as error:
                raise _SpoolError from error
            if not rows:
                return
            cursor = rows[-1][0]
            db.execute("BEGIN IMMEDIATE")
            try:
                applier = Applier(db)
                for n, kind, body in rows:
                    applier.apply(process_of(name), n, kind, body)
                applier.finish()
                db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (_key(name), cursor))
                db.execute("COMMIT")
            except BaseException:  # an interruption too: no transaction is left open
                db.execute("ROLLBACK") if db.in_transaction else None
                raise
            if len(rows) < _BATCH:
                return

    def _remove(self, name: str) -> None:
        for part in (".db-wal", ".db-shm", ".db-journal", ".db", ".lock"):
            (self._spools / f"{name}{part}").unlink(missing_ok=True)

    def _set_aside(self, name: str) -> None:
        for part in ("", "-wal", "-shm"):
            file = self._spools / f"{name}.db{part}"
            if file.exists():
                file.rename(file.with_name(f"{name}.damaged{part}"))
        (self._spools / f"{name}.lock").unlink(missing_ok=True)
        self._losses.add(SPOOL_DAMAGED)

    @staticmethod
    def _forget_others(db: sqlite3.Connection, names: list[str]) -> None:
        """Drop the cursors of spools that are gone."""
        known = {key for (key,) in db.execute("SELECT name FROM cursors WHERE name GLOB 'spool:*'")}
        for key in known - set(map(_key, names)):
            db.execute("DELETE FROM cursors WHERE name = ?", (key,))


class _SpoolError(Exception):
    """A spool, not the archive, cannot be read."""


def _key(name: str) -> str:
    return f"spool:{name}"


def _cursor(db: sqlite3.Connection, name: str) -> int:
    row = db.execute("SELECT position FROM cursors WHERE name = ?", (_key(name),)).fetchone()
    return row[0] if row else 0
