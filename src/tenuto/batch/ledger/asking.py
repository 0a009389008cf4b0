"""Questions to the ledger of an output folder, also while a run is at work there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from tenuto.batch.sources.inputs import BadRow
from tenuto.errors import FaultClass
from tenuto.journal import OutcomeStatus

from .ledger import entries, look_into, unusable
from .rows import Entry

__all__ = ["Kind", "Outcomes", "Question"]


_OF_GROUP = """(substr(error_group, 1, length(?1)) = ?1
    OR substr(error_group, instr(error_group, ':') + 1, length(?1)) = ?1)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which outcomes are wanted: those for which all of it holds."""

    status: OutcomeStatus | None = None
    tier: str | None = None
    fault_class: FaultClass | None = None
    group: str | None = None
    """The beginning of a fingerprint, with or without its version."""
    worse_than: float | None = None
    """On the meter's scale, of the output."""

    @property
    def condition(self) -> tuple[str, list[str | float]]:
        """The end of a WHERE clause, and the values in it."""
        parts: list[tuple[str, str | float | None]] = [
            ("status = ?", self.status),
            ("tier = ?", self.tier),
            ("fault_class = ?", self.fault_class),
            (_OF_GROUP, self.group),
            ("quality_after < ?", self.worse_than),
        ]
        values: list[str | float] = []
        text = ""
        for part, value in parts:
            if value is not None:
                # The first value is where the caller is in the table.
                values.append(value)
                text += " AND " + part.replace("?1", "?").replace("?", f"?{len(values) + 1}")
        return text, values


@dataclass(frozen=True, slots=True)
class Kind:
    """How many outcomes are alike."""

    status: OutcomeStatus
    tier: str | None
    fault_class: FaultClass | None
    count: int


class Outcomes:
    """What is in the ledger of ``folder``. Raises ConfigurationError where there is none."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._db: sqlite3.Connection = look_into(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._db.close()
        if isinstance(error, sqlite3.Error):
            raise unusable(self._folder, error) from error

    def find(self, question: Question) -> Iterator[Entry]:
        """The outcomes, in the order in which their inputs first had one."""
        return entries(self._db, self._folder, *question.condition)

    def count(self, question: Question) -> int:
        """How many there are."""
        condition, values = question.condition
        query = f"SELECT count(*) FROM outcomes WHERE id > ?{condition}"  # noqa: S608 - no text of others
        return int(self._db.execute(query, (0, *values)).fetchone()[0])

    def kinds(self) -> list[Kind]:
        """All of them by status, tier and class, in numbers."""
        rows = self._db.execute(
            "SELECT status, tier, fault_class, count(*) FROM outcomes"
            " GROUP BY status, tier, fault_class ORDER BY count(*) DESC"
        )
        return [
            Kind(OutcomeStatus(status), tier, FaultClass(fault) if fault else None, number)
            for status, tier, fault, number in rows
        ]

    def bad_rows(self) -> list[BadRow]:
        """What named no input in the last run, or in the one that is at work."""
        return [BadRow(*row) for row in self._db.execute("SELECT * FROM bad_rows")]
