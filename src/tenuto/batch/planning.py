"""Which input becomes which output, and which of them there is anything to do for.

An output has the place of its input below the output folder, and a suffix that fits the format it
is written in. Where two inputs would become one output, the earlier keeps the plain name; a later
one is called after its whole name (``a.flac`` becomes ``a.flac.wav``), and, if that is taken too,
gets a number (``a~2.wav``). Names are kept from one run to the next: what an earlier run wrote for
one input is not given to another.

An outcome holds as long as the input has the same content and the work would be done with the same
settings and versions. The content is taken to be the same while size and time of change are; where
only the time is another, whoever works on it compares the hash.
"""
# Of millions of paths, strings are much smaller and faster than Path objects.
# ruff: noqa: PTH116, PTH118, PTH122

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from tenuto.journal import OutcomeStatus

from .inputs import BadRow, Input
from .keys import Key, RealFolders, from_key, to_key
from .ledger import Ledger
from .plan import Again, Cohort, Item, Plan
from .replay import CANARIES, Replay

__all__ = ["Planner"]

_AT_ONCE = 2_000  # inputs between two looks at whether to go on
_FIRST = 3  # examples that are told
_FIRST_BAD_ROWS = 20

_EARLIER = """
SELECT id, key, place, status, size, modified_ns, content, parameters, error_group, fault_class,
    EXISTS (SELECT 1 FROM left_alone WHERE outcome = id)
FROM outcomes WHERE identity = ?
"""
_ADD = """
INSERT INTO plan (identity, input, key, place, carried, content, size, modified_ns, cohort)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class _Earlier(NamedTuple):
    """The outcome that an input has."""

    number: int
    key: Key | None
    place: Key | None
    status: str
    size: int | None
    modified_ns: int | None
    content: str | None
    parameters: int | None
    group: str | None
    fault_class: str | None
    left_alone: int
    """Whether it has been decided already that it holds."""

    @property
    def output(self) -> str | None:
        """Its place below the output folder."""
        found = self.key if self.place is None else self.place
        return None if found is None else from_key(found)


class _File(NamedTuple):
    """An input as it is now; nothing is known of one that is no file."""

    size: int | None = None
    modified_ns: int | None = None


@dataclass(slots=True)
class Planner:
    """Makes the plan of a run, in the ledger.

    ``suffixes`` are those of sound files (lower case, with the dot), each with the suffix of its
    output; ``suffix`` is the one for all outputs instead. ``reserved`` are places that no output
    may have. ``parameters`` is the ledger's number of what the work would be done with.
    """

    ledger: Ledger
    suffixes: Mapping[str, str]
    suffix: str | None = None
    reserved: Collection[str] = ()
    parameters: int = 0
    overwrite: bool = False
    replay: Replay | None = None

    def plan(
        self,
        found: Iterable[Input | BadRow],
        go_on: Callable[[int], bool] = lambda _: True,
    ) -> Plan:
        """Take in what was found. ``go_on`` is asked now and then, with the number so far."""
        return _Planning(self).run(found, go_on)


class _Planning:
    """One plan in the making."""

    def __init__(self, planner: Planner) -> None:
        self._by = planner
        self._db = planner.ledger.db
        self._folder = planner.ledger.folder
        self._naming = planner.ledger.naming
        self._reserved = {self._naming.key(place) for place in planner.reserved}
        self._real = RealFolders()
        self._cohorts: dict[str, int] = {}
        self._plan = Plan(self._folder)

    def run(self, found: Iterable[Input | BadRow], go_on: Callable[[int], bool]) -> Plan:
        self._db.execute("BEGIN")
        for number, each in enumerate(found, start=1):
            if isinstance(each, BadRow):
                self._complain(each)
            else:
                self._take(each)
            if number % _AT_ONCE == 0:
                self._db.execute("COMMIT")
                if not go_on(self._plan.inputs):
                    self._plan.complete = False
                    return self._plan
                self._db.execute("BEGIN")
        self._db.execute("COMMIT")
        return self._plan

    def _take(self, each: Input) -> None:
        identity = self._real.path(each.path)
        key = to_key(identity)
        row = self._db.execute(_EARLIER, (key,)).fetchone()
        earlier = None if row is None else _Earlier._make(row)
        if self._was_named(key, earlier):
            self._plan.repeated += 1
            return
        suffix = self._suffix_for(each.path)
        if each.named and os.path.splitext(each.place)[1].lower() != suffix.lower():
            self._complain(BadRow(each.source, each.line, f"its output must end in {suffix!r}"))
            return
        plain, *others = [each.place] if each.named else _spellings(each.place, suffix)
        file = _look(each.path)
        again, content = self._why_again(earlier, file, each, [plain, *others])
        if earlier and again is None:
            self._leave_alone(earlier)
            return
        place = self._name(key, earlier, [plain, *others], named=each.named)
        if place is None:
            told = f"its output {plain!r} is that of another input"
            self._complain(BadRow(each.source, each.line, told))
            return
        self._plan.inputs += 1
        if again:
            self._plan.again[again] += 1
        cohort = self._cohort(earlier) if earlier and again is Again.REPLAYED else 0
        input_ = None if identity == each.path else to_key(each.path)
        output, itself = self._naming.pair(place)
        values = (key, input_, output, itself, each.carried, content, *file, cohort)
        added = self._db.execute(_ADD, values)
        if place != plain:
            self._plan.renamed += 1
            if len(self._plan.renamed_first) < _FIRST:
                item = Item(each.path, os.path.join(self._folder, place), added.lastrowid or 0)
                self._plan.renamed_first.append(item)

    def _was_named(self, key: Key, earlier: _Earlier | None) -> bool:
        if earlier is not None and earlier.left_alone:
            return True
        if not self._plan.left:
            return False
        found = self._db.execute("SELECT 1 FROM plan WHERE identity = ?", (key,))
        return found.fetchone() is not None

    def _leave_alone(self, earlier: _Earlier) -> None:
        self._db.execute("INSERT INTO left_alone VALUES (?)", (earlier.number,))
        self._plan.inputs += 1
        if earlier.status == OutcomeStatus.QUARANTINED:
            self._plan.quarantined += 1
        else:
            self._plan.finished += 1

    def _why_again(
        self, earlier: _Earlier | None, file: _File, each: Input, spellings: list[str]
    ) -> tuple[Again | None, str]:
        """Why an input that has an outcome is worked on, if it is; and what may prove it needless.

        That is the hash of its content: where it is still the same, the outcome holds.
        """
        if earlier is None:
            return None, ""
        if self._by.overwrite:
            return Again.OVERWRITTEN, ""
        if earlier.parameters != self._by.parameters:
            return Again.PARAMETERS, ""
        gone = earlier.status != OutcomeStatus.QUARANTINED and not self._is_there(
            earlier, each, spellings
        )
        replayed = earlier.status == OutcomeStatus.QUARANTINED and (
            self._by.replay is not None
            and self._by.replay.takes(earlier.group, earlier.fault_class)
        )
        if replayed:
            return Again.REPLAYED, ""
        if gone:
            return Again.GONE, ""
        # An input that is gone cannot be worked on: what is known of it stays.
        if file.size is None or file == (earlier.size, earlier.modified_ns):
            return None, ""
        same = earlier.content if earlier.size in (file.size, None) else None
        return (Again.TOUCHED, same) if same else (Again.CHANGED, "")

    def _is_there(self, earlier: _Earlier, each: Input, spellings: list[str]) -> bool:
        """Whether the output of an earlier run is where this one would have it."""
        output = earlier.output
        fits = output is not None and (
            output == each.place if each.named else _is_one_of(output, spellings)
        )
        return fits and os.path.lexists(os.path.join(self._folder, output or ""))

    def _cohort(self, earlier: _Earlier) -> int:
        if self._by.replay is None or not self._by.replay.canary:
            return 0
        name = earlier.group or earlier.fault_class or "without an error"
        number = self._cohorts.get(name)
        if number is None:
            self._plan.cohorts.append(Cohort(name))
            number = self._cohorts[name] = len(self._plan.cohorts)
        cohort = self._plan.cohorts[number - 1]
        if cohort.canaries < CANARIES:
            cohort.canaries += 1
            return -number
        cohort.waiting += 1
        self._plan.quarantined += 1
        return number

    def _name(
        self, identity: Key, earlier: _Earlier | None, spellings: list[str], *, named: bool
    ) -> str | None:
        """The place of the output; None if one that is named is taken."""
        plain = spellings[0]
        if named:
            return plain if self._is_free(plain, identity) else None
        before = None if earlier is None else earlier.output
        kept = [before] if before is not None and _is_one_of(before, spellings) else []
        for place in (*kept, *spellings):
            if self._is_free(place, identity):
                return place
        return self._numbered(plain, identity)

    def _numbered(self, plain: str, identity: Key) -> str:
        stem, suffix = os.path.splitext(plain)
        key = self._naming.key(plain)
        row = self._db.execute("SELECT latest FROM numbers WHERE key = ?", (key,)).fetchone()
        for number in count(row[0] + 1 if row else 2):
            place = f"{stem}~{number}{suffix}"
            if self._is_free(place, identity):
                break
        self._db.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?)", (key, number))
        return place

    def _is_free(self, place: str, identity: Key) -> bool:
        key = self._naming.key(place)
        if key in self._reserved:
            return False
        if self._db.execute("SELECT 1 FROM plan WHERE key = ?", (key,)).fetchone():
            return False
        owner = self._db.execute("SELECT identity FROM outcomes WHERE key = ?", (key,)).fetchone()
        return owner is None or owner[0] == identity

    def _suffix_for(self, path: str) -> str:
        own = os.path.splitext(path)[1]
        return self._by.suffix or self._by.suffixes.get(own.lower(), own)

    def _complain(self, row: BadRow) -> None:
        self._db.execute("INSERT INTO bad_rows VALUES (?, ?, ?)", row)
        self._plan.bad_rows += 1
        if len(self._plan.bad_rows_first) < _FIRST_BAD_ROWS:
            self._plan.bad_rows_first.append(f"{row.source}, line {row.line}: {row.reason}")


def _look(path: str) -> _File:
    try:
        found = os.stat(path)
    except OSError:
        return _File()
    return _File(found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else _File()


def _spellings(place: str, suffix: str) -> list[str]:
    """The plain name of an output, and what it is called where that is taken."""
    stem, own = os.path.splitext(place)
    return [place] if suffix == own.lower() else [stem + suffix, place + suffix]


def _is_one_of(output: str, spellings: list[str]) -> bool:
    stem, suffix = os.path.splitext(spellings[0])
    number = output.removeprefix(f"{stem}~").removesuffix(suffix)
    return output in spellings or (number.isdecimal() and output == f"{stem}~{number}{suffix}")
