"""What the readers of one process are told next, wherever it is by now."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from pathlib import Path

from .archive import Archive
from .mover import process_of
from .queries import SPOILT, records_of
from .records import Batch, Record
from .spool import Row, rows_after, spool_names

__all__ = ["Follower"]

_TOLD = {"event", "slice", "transition"}


class Follower:
    """Reads the records of one process.

    Each may be in a spool, in the archive, in both, or in neither if no disk has taken it.
    """

    def __init__(self, archive: Archive, spools: Path) -> None:
        self._archive = archive
        self._spools = spools

    def next(self, process: str, ring: list[Row], after: int, limit: int) -> Batch:
        """At most ``limit`` records beyond number ``after``; the ring is what no disk has taken.

        Raises ``sqlite3.Error`` if a spool cannot be read.
        """
        rows, complete = self._spooled(process, after, limit)
        if complete:
            rows += [row for row in ring if row[0] > after]
        found = {}
        for n, kind, body in rows:
            with suppress(*SPOILT):  # damage, which the mover counts
                if kind in _TOLD:
                    found[n] = Record(n, kind, json.loads(body))
        end = max((row[0] for row in rows), default=after)
        # Last, because what was moved and removed while the spools were read is there.
        for record in self._archived(process, after, limit):
            if complete or record.position <= end:
                found.setdefault(record.position, record)
        told = tuple(found[n] for n in sorted(found)[:limit])
        if len(told) == limit:
            return Batch(told, told[-1].position, more=True)
        return Batch(told, max([end, *found]), more=not complete)

    def _spooled(self, process: str, after: int, limit: int) -> tuple[list[Row], bool]:
        """Rows of the first spools that have any, and whether they are all there are."""
        rows: list[Row] = []
        for name in spool_names(self._spools):
            if process_of(name) == process:
                part = rows_after(self._spools / f"{name}.db", after, limit)
                rows += part
                if len(part) == limit:
                    return rows, False
        return rows, True

    def _archived(self, process: str, after: int, limit: int) -> list[Record]:
        try:
            return records_of(self._archive.connect(), process, after, limit)
        except (OSError, sqlite3.Error):
            return []  # then nothing has been moved there either
