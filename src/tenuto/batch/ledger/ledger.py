"""How every input of an output folder ended, and what a run there has still to do.

The ledger is one SQLite file, ``OUT/.tenuto/ledger.db``; ``outcomes.jsonl`` beside the outputs
tells the same, a line each, to people and to what reads them next. A ledger that is gone is made
again from it. Nothing is held in memory that grows with the number of inputs.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from tenuto.audio.names import path_text
from tenuto.batch.plan import Item
from tenuto.errors import ConfigurationError
from tenuto.journal import Outcome, OutcomeStatus

from .adoption import adopt
from .keys import Naming, folds_case, from_key
from .lines import OUTCOMES_NAME, Lines
from .parameters import Parameters
from .rows import Entry, entry_of, line_of, values_of
from .tables import ROW, check_version, make_plan_tables, prepare, set_up

__all__ = ["FOLDER_NAME", "LEDGER_NAME", "Ledger", "look_into", "unusable"]

FOLDER_NAME = ".tenuto"
LEDGER_NAME = f"{FOLDER_NAME}/ledger.db"

_AT_ONCE = 1_000  # rows that are read together

_FROM_OUTCOME = (
    "status, tier, engine, quality_before, quality_after, seconds, audio_seconds, attempts,"
    " fault_class, error_group, errors, reason, content"
)
_FROM_PLAN = "identity, input, key, place, carried, size, modified_ns"
_PLACEHOLDERS = ", ".join(f":{name}" for name in _FROM_OUTCOME.split(", "))
_ALL = f"{_FROM_PLAN}, {_FROM_OUTCOME}, parameters"
_KEPT = {
    name: f"CASE WHEN :written THEN excluded.{name} ELSE outcomes.{name} END"
    for name in ("key", "place")
}
"""What was written of an earlier version stays, and stays ours."""
_SETTLE = f"""
INSERT INTO outcomes ({_ALL})
SELECT identity, input, CASE WHEN :written THEN key END, CASE WHEN :written THEN place END,
    carried, size, modified_ns, {_PLACEHOLDERS}, :parameters
FROM plan WHERE id = :number
ON CONFLICT (identity) DO UPDATE SET
    {", ".join(f"{n} = {_KEPT.get(n, f'excluded.{n}')}" for n in _ALL.split(", ")[1:])}
RETURNING carried, size, modified_ns
"""  # noqa: S608 - constants only
_BEFORE = """
SELECT outcomes.key, outcomes.place, plan.key
FROM plan JOIN outcomes ON outcomes.identity = plan.identity WHERE plan.id = ?
"""


class Ledger:
    """The ledger of one output folder. Make one by ``for_run``, ``for_rehearsal``."""

    def __init__(
        self, folder: str, db: sqlite3.Connection, naming: Naming, lines: Lines | None = None
    ) -> None:
        self.folder = folder
        self.db = db
        self.naming = naming
        self._lines = lines
        self._exact = False
        self._begun = False
        self._parameters: tuple[int, str] | None = None

    @classmethod
    def for_run(cls, folder: str) -> Self:
        """To write to; the folder must be ours, see ``claim``. Forgets the plan before.

        Raises ConfigurationError where the folder cannot be written to.
        """
        path = Path(folder, LEDGER_NAME)
        try:
            path.parent.mkdir(exist_ok=True)
            lines = Lines(Path(folder, OUTCOMES_NAME))
        except OSError as error:
            raise ConfigurationError("the output folder", f"{path_text(path)}: {error}") from error
        try:
            db = _connect(str(path))
        except sqlite3.Error as error:
            lines.close()
            raise unusable(folder, error) from error
        ledger = cls(folder, db, Naming(folds_case(str(path))), lines)
        try:
            db.execute("PRAGMA journal_mode = WAL")  # where there is none, its own will do
            db.execute("PRAGMA synchronous = NORMAL")
            ledger._begin(rehearsal=False)
            ledger._exact = lines.size == ledger._size_of_lines()
        except BaseException as error:  # whatever it is, nothing stays open
            ledger.__exit__(None, error, None)
            raise
        return ledger

    @classmethod
    def for_rehearsal(cls, folder: str) -> Self:
        """To plan with, and change nothing."""
        path = Path(folder, LEDGER_NAME)
        known = path.exists()
        db = _read(folder, path) if known else _connect("")
        ledger = cls(folder, db, Naming(folds_case(str(path if known else folder))))
        ledger._begin(rehearsal=known)
        return ledger

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        with closing(self.db):
            if self._lines is not None:
                with suppress(OSError):  # of a folder that is gone, say
                    self._lines.close()
        if isinstance(error, sqlite3.Error):
            raise unusable(self.folder, error) from error

    def _begin(self, *, rehearsal: bool) -> None:
        if not rehearsal:
            set_up(self.db)
            adopt(self.db, Path(self.folder, OUTCOMES_NAME), self.folder, self.naming)
        make_plan_tables(self.db, rehearsal=rehearsal)

    def work_with(self, parameters: Parameters) -> int:
        """Have outcomes say that they were reached with ``parameters``; gives their number.

        0 in a rehearsal, where they are new.
        """
        digest = parameters.digest
        with suppress(sqlite3.OperationalError):  # in a rehearsal nothing can be written
            self.db.execute(
                "INSERT INTO parameters (digest, body) VALUES (?, ?)"
                " ON CONFLICT (digest) DO UPDATE SET body = excluded.body",
                (digest, parameters.body),
            )
        row = self.db.execute("SELECT id FROM parameters WHERE digest = ?", (digest,)).fetchone()
        self._parameters = (row[0] if row else 0, digest)
        return self._parameters[0]

    def is_new_folder(self, identity: str) -> bool:
        """Whether a folder comes up for the first time in this plan."""
        added = self.db.execute("INSERT OR IGNORE INTO folders VALUES (?)", (identity,))
        return added.rowcount > 0

    def settle(self, item: Item, outcome: Outcome) -> Outcome:
        """Write down how ``item`` ended. Gives it as it is written; raises OSError if it cannot."""
        assert self._lines is not None, "the ledger is not open for writing"
        assert self._parameters is not None, "say first what the work is done with"
        values: dict[str, Any] = {
            **values_of(outcome),
            "written": outcome.output is not None,
            "number": item.number,
            "parameters": self._parameters[0],
        }
        try:
            replaced = self._expect_line(item)
            carried, size, modified = self.db.execute(_SETTLE, values).fetchone()
        except sqlite3.Error as error:
            raise OSError(None, str(error)) from error
        told = replace(outcome, size=size, modified_ns=modified, parameters=self._parameters[1])
        try:
            self._lines.append(line_of(told, None if carried is None else json.loads(carried)))
        except OSError:
            self._exact = False
            raise
        if replaced is not None and outcome.output is not None:
            with suppress(OSError):  # it is there under another name, as good as gone
                os.unlink(replaced)  # noqa: PTH108 - as given
        return told

    def confirm(self, item: Item) -> OutcomeStatus:
        """The outcome that the input of ``item`` has still holds; gives its status.

        Raises OSError where it cannot be written down.
        """
        try:
            return self._confirm(item)
        except sqlite3.Error as error:
            raise OSError(None, str(error)) from error

    def _confirm(self, item: Item) -> OutcomeStatus:
        self._expect_change()
        self.db.execute(
            "UPDATE outcomes SET (size, modified_ns) ="
            " (SELECT size, modified_ns FROM plan WHERE id = ?1)"
            " WHERE identity = (SELECT identity FROM plan WHERE id = ?1)",
            (item.number,),
        )
        found = self.db.execute(
            "SELECT status FROM outcomes WHERE identity = (SELECT identity FROM plan WHERE id = ?)",
            (item.number,),
        ).fetchone()
        return OutcomeStatus(found[0])

    def tidy(self, *, rewrite: bool = True) -> None:
        """Have exactly one line per input in ``outcomes.jsonl``.

        That may take minutes, where there are millions: without ``rewrite`` it is left for the next
        time. Raises OSError where it cannot be done.
        """
        assert self._lines is not None, "the ledger is not open for writing"
        if not self._exact and not rewrite:
            return
        if not self._exact:
            self._lines.replace(
                line_of(entry.outcome, entry.carried) for entry in entries(self.db, self.folder)
            )
            self._exact = True
        try:
            self.db.execute("INSERT OR REPLACE INTO facts VALUES ('lines', ?)", (self._lines.size,))
        except sqlite3.Error as error:
            raise OSError(None, str(error)) from error

    def carry(self, number: int, carried: str) -> None:
        """Have the outcome of this number tell what the manifest says by now.

        In a rehearsal, it stays as it is.
        """
        if self._lines is not None:
            self._expect_change()
            self.db.execute("UPDATE outcomes SET carried = ? WHERE id = ?", (carried, number))

    def _expect_line(self, item: Item) -> str | None:
        """A line is to follow. Gives what its output replaces, where that has another name."""
        found = self.db.execute(_BEFORE, (item.number,)).fetchone()
        if found is not None:
            self._expect_change()
        else:
            self._begin_writing()
        before, place, now = found or (None, None, None)
        if before is None or before == now:
            return None
        return os.path.join(self.folder, from_key(before if place is None else place))  # noqa: PTH118

    def _expect_change(self) -> None:
        """A line that is there will not be right any more."""
        self._begin_writing()
        self._exact = False

    def _begin_writing(self) -> None:
        """Until the run ends, it is not known whether each line has been written."""
        if not self._begun:
            self.db.execute("DELETE FROM facts WHERE name = 'lines'")
            self._begun = True

    def _size_of_lines(self) -> int | None:
        """What it was when there was one line for each input; None where that is not known."""
        row = self.db.execute("SELECT value FROM facts WHERE name = 'lines'").fetchone()
        if row is not None:
            return int(row[0])
        return None if self.db.execute("SELECT 1 FROM outcomes LIMIT 1").fetchone() else 0


def look_into(folder: str) -> sqlite3.Connection:
    """The ledger of ``folder`` to read from, also while a run is at work there.

    Raises ConfigurationError where there is none.
    """
    path = Path(folder, LEDGER_NAME)
    if not path.exists():
        raise ConfigurationError(
            path_text(folder), f"there is no {LEDGER_NAME} in it; name the output folder of a run"
        )
    return _read(folder, path)


def entries(
    db: sqlite3.Connection, folder: str, where: str = "", values: Sequence[Any] = ()
) -> Iterator[Entry]:
    """The outcomes, in the order in which their inputs first had one; those ``where`` it holds.

    Read some at a time, so that a run is not held up however long it takes to go through them.
    """
    last = 0
    query = f"SELECT {ROW} FROM outcomes WHERE id > ?{where} ORDER BY id LIMIT {_AT_ONCE}"  # noqa: S608
    while rows := db.execute(query, (last, *values)).fetchall():
        for row in rows:
            yield entry_of(row, folder)
        last = rows[-1][0]


def unusable(folder: str, error: sqlite3.Error) -> ConfigurationError:
    """What to tell where the ledger of ``folder`` cannot be read or written."""
    return ConfigurationError(
        f"the ledger {path_text(os.path.join(folder, LEDGER_NAME))}",  # noqa: PTH118 - as given
        f"{error}; where it is damaged, delete it: it is made again from {OUTCOMES_NAME}",
    )


def _read(folder: str, path: Path) -> sqlite3.Connection:
    uri = path.absolute().as_uri()
    try:
        try:
            db = _connect(f"{uri}?mode=ro")
        except sqlite3.OperationalError:
            # Where the folder cannot be written to, and so no run can be at work.
            db = _connect(f"{uri}?immutable=1")
    except sqlite3.Error as error:
        raise unusable(folder, error) from error
    try:
        check_version(db)
    except ConfigurationError:
        db.close()
        raise
    return db


def _connect(path: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, uri=True, isolation_level=None, cached_statements=256)
    try:
        prepare(db)
    except sqlite3.Error:
        db.close()
        raise
    return db
