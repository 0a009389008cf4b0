"""Which of the inputs that were found there is anything to do for, and what they become."""
# Of millions of paths, strings are much smaller and faster than Path objects.
# ruff: noqa: PTH118, PTH122

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from tenuto.journal import OutcomeStatus

from .earlier import Earlier, File, Holding, Mention
from .ledger.keys import Key, RealFolders, to_key
from .ledger.ledger import Ledger
from .places import Places, ends_in, spellings
from .plan import Again, Cohort, Item, Plan
from .replay import CANARIES, Replay
from .sources.inputs import BadRow, Input

__all__ = ["Planner"]

_AT_ONCE = 2_000  # inputs between two looks at whether to go on
_FIRST = 3  # examples that are told
_FIRST_BAD_ROWS = 20

_MENTION = "SELECT key, place, carried FROM plan WHERE identity = ?"
_ADD = """
INSERT INTO plan (identity, input, key, place, carried, content, size, modified_ns, cohort)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


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
        self._places = Places(planner.ledger, planner.reserved)
        self._holding = Holding(planner.parameters, planner.overwrite, planner.replay)
        self._real = RealFolders()
        self._cohorts: dict[str, int] = {}
        self._plan = Plan(self._folder)

    def run(self, found: Iterable[Input | BadRow], go_on: Callable[[int], bool]) -> Plan:
        self._db.execute("BEGIN")
        for number, each in enumerate(found, start=1):
            if isinstance(each, BadRow):
                self._complain(each, each.reason)
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
        path = self._real.path(each.path)
        identity = to_key(path)
        earlier = Earlier.of(self._db, identity)
        if mention := self._mention(identity, earlier):
            self._repeat(each, mention)
            return
        if self._places.is_result(path, identity):
            self._plan.ignored += 1
            return
        suffix = self._suffix_for(each.path)
        if each.named and not ends_in(suffix, each.place):
            unknown = "its name has no suffix that says what to write: give --format"
            self._complain(each, f"its output must end in {suffix!r}" if suffix else unknown)
            return
        file = File.at(each.path)
        if earlier is None:
            again, content = None, ""
        else:
            there = self._is_there(earlier, each, suffix)
            again, content = self._holding.why_again(earlier, file, output_is_there=there)
            if again is None:
                self._leave_alone(earlier, each, file)
                return
        plain, *others = [each.place] if each.named else spellings(each.place, suffix)
        place = self._places.first_free(
            [*self._kept(earlier, each, suffix), plain, *others], identity
        )
        if place is None and each.named:
            self._complain(each, f"its output {plain!r} is that of another input")
            return
        place = place or self._places.numbered(plain, identity)
        self._plan.inputs += 1
        if again:
            self._plan.again[again] += 1
        cohort = self._cohort(earlier) if earlier and again is Again.REPLAYED else 0
        input_ = None if path == each.path else to_key(each.path)
        output, itself = self._naming.pair(place)
        values = (identity, input_, output, itself, each.carried, content, *file, cohort)
        added = self._db.execute(_ADD, values)
        if place != plain:
            self._tell_of_other_name(each, place, added.lastrowid or 0)

    def _mention(self, identity: Key, earlier: Earlier | None) -> Mention | None:
        """What is known of the row that named this input before, in this plan."""
        if earlier is not None and earlier.left_alone:
            return earlier.mention
        if not self._plan.left:
            return None
        found = self._db.execute(_MENTION, (identity,)).fetchone()
        return None if found is None else Mention._make(found)

    def _repeat(self, each: Input, mention: Mention) -> None:
        """Named once more: nothing is to be done, unless this row wants something else."""
        if each.named and each.place != mention.output:
            self._complain(each, f"its input was named before, with the output {mention.output!r}")
        elif each.carried is not None and not _is_same(each.carried, mention.carried):
            self._complain(each, "its input was named before, with other columns")
        else:
            self._plan.repeated += 1

    def _leave_alone(self, earlier: Earlier, each: Input, file: File) -> None:
        if each.carried is not None and each.carried != earlier.carried:
            self._by.ledger.carry(earlier.number, each.carried)
        self._db.execute("INSERT INTO left_alone VALUES (?)", (earlier.number,))
        self._plan.inputs += 1
        if earlier.status == OutcomeStatus.QUARANTINED:
            self._plan.quarantined += 1
        else:
            self._plan.finished += 1
            self._plan.without_input += file.size is None

    def _is_there(self, earlier: Earlier, each: Input, suffix: str) -> bool:
        """Whether what an earlier run has written is there, and is what this one would write."""
        output = earlier.mention.output
        if output is None:
            return False
        fits = output == each.place if each.named else ends_in(suffix, output)
        return fits and os.path.lexists(os.path.join(self._folder, output))

    def _kept(self, earlier: Earlier | None, each: Input, suffix: str) -> list[str]:
        """The place that it has, if that will do."""
        output = earlier.mention.output if earlier and not each.named else None
        return [output] if output is not None and ends_in(suffix, output) else []

    def _tell_of_other_name(self, each: Input, place: str, number: int) -> None:
        self._plan.renamed += 1
        if len(self._plan.renamed_first) < _FIRST:
            item = Item(each.path, os.path.join(self._folder, place), number)
            self._plan.renamed_first.append(item)

    def _cohort(self, earlier: Earlier) -> int:
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

    def _suffix_for(self, path: str) -> str:
        own = os.path.splitext(path)[1]
        return self._by.suffix or self._by.suffixes.get(own.lower(), own)

    def _complain(self, each: Input | BadRow, reason: str) -> None:
        self._db.execute("INSERT INTO bad_rows VALUES (?, ?, ?)", (each.source, each.line, reason))
        self._plan.bad_rows += 1
        if len(self._plan.bad_rows_first) < _FIRST_BAD_ROWS:
            self._plan.bad_rows_first.append(f"{each.source}, line {each.line}: {reason}")


def _is_same(carried: str, other: str | None) -> bool:
    """Whether two rows say the same, in whatever order their columns are."""
    return other is not None and (carried == other or json.loads(carried) == json.loads(other))
