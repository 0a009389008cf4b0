"""The items of a plan, taken from the ledger a few at a time."""
# Of millions of paths, strings are much smaller and faster than Path objects.
# ruff: noqa: PTH118

from __future__ import annotations

import os
from array import array
from collections import deque
from collections.abc import Iterator
from random import Random
from typing import Any

from tenuto.audio.names import path_text
from tenuto.clock import Clock
from tenuto.errors import ConfigurationError

from .ledger.keys import RealFolders, from_key, to_key
from .ledger.ledger import Ledger
from .ledger.lines import OUTCOMES_NAME
from .plan import Item

__all__ = ["Work", "any_input_below", "check_outputs"]

_AT_ONCE = 500
_ROW = "id, identity, input, key, place, content, cohort"


class Work:
    """What a run has still to begin, in the order of the plan.

    Those who wait for the canaries of their cohort come when it has been let go. With a source of
    ``chance``, the others come in random order, at four bytes of memory for each.
    """

    def __init__(self, ledger: Ledger, *, chance: Clock | None = None) -> None:
        self._ledger = ledger
        at_once = "cohort <= 0"
        self._rows = (
            self._rows_where(at_once) if chance is None else self._shuffled(at_once, chance)
        )
        self._cohorts: deque[int] = deque()

    def next(self) -> Item | None:
        """The next item, or None if there is none just now."""
        while True:
            row = next(self._rows, None)
            if row is not None:
                return _item(row, self._ledger.folder)
            if not self._cohorts:
                return None
            self._rows = self._rows_where(f"cohort = {self._cohorts.popleft()}")

    def let_go(self, cohort: int) -> None:
        """The canaries of this cohort did well: the others come too, after what comes first."""
        self._cohorts.append(cohort)

    def __iter__(self) -> Iterator[Item]:
        """All items, whether they have been taken or not."""
        return (_item(row, self._ledger.folder) for row in self._rows_where("TRUE"))

    def _rows_where(self, condition: str) -> Iterator[tuple[Any, ...]]:
        """Read some at a time: a long read would keep the ledger from being tidied up."""
        query = f"SELECT {_ROW} FROM plan WHERE {condition} AND id > ? ORDER BY id LIMIT {_AT_ONCE}"  # noqa: S608
        last = 0
        while rows := self._ledger.db.execute(query, (last,)).fetchall():
            yield from rows
            last = rows[-1][0]

    def _shuffled(self, condition: str, chance: Clock) -> Iterator[tuple[Any, ...]]:
        found = self._ledger.db.execute(f"SELECT id FROM plan WHERE {condition} ORDER BY id")  # noqa: S608
        order = array("I", (number for (number,) in found))
        Random(chance.random()).shuffle(order)
        for start in range(0, len(order), _AT_ONCE):
            numbers = order[start : start + _AT_ONCE]
            places = {number: place for place, number in enumerate(numbers)}
            listed = ", ".join(map(str, numbers))
            rows = self._ledger.db.execute(f"SELECT {_ROW} FROM plan WHERE id IN ({listed})")  # noqa: S608
            yield from sorted(rows, key=lambda row: places[row[0]])


def check_outputs(ledger: Ledger, *, strangers: bool) -> None:
    """Raise ConfigurationError if an output of the plan would replace what it must not.

    That is an input, and, unless ``strangers`` do not matter, a file that no run here has written
    for the same input.
    """
    folder, db, real = ledger.folder, ledger.db, RealFolders()
    query = f"""
    SELECT plan.id, plan.identity, plan.input, plan.key, plan.place, plan.content, plan.cohort,
        outcomes.key IS plan.key
    FROM plan LEFT JOIN outcomes ON outcomes.identity = plan.identity
    WHERE plan.id > ? ORDER BY plan.id LIMIT {_AT_ONCE}
    """  # noqa: S608 - a constant
    last, found, first = 0, 0, ""
    while rows := db.execute(query, (last,)).fetchall():
        for *row, known in rows:
            output = _item(tuple(row), folder).output
            if _is_input(ledger, real.path(output)):
                raise ConfigurationError(
                    "the output folder",
                    f"{path_text(output)} would replace an input; name another folder",
                )
            if strangers and not known and os.path.lexists(output):
                found, first = found + 1, first or output
        last = rows[-1][0]
    if found:
        others = f" (and {found - 1:,} others)" if found > 1 else ""
        raise ConfigurationError(
            "the output folder",
            f"{path_text(first)}{others} exists and is not in {OUTCOMES_NAME}: "
            "name another folder, or overwrite",
        )


def any_input_below(ledger: Ledger) -> bool:
    """Whether an input of the plan lies in the output folder, or in a folder below."""
    first = os.path.realpath(ledger.folder).rstrip(os.sep) + os.sep
    end = first[:-1] + chr(ord(os.sep) + 1)
    query = """
    SELECT 1 FROM plan WHERE identity >= ?1 AND identity < ?2
    UNION ALL SELECT 1 FROM outcomes JOIN left_alone ON outcome = id
    WHERE identity >= ?1 AND identity < ?2
    """
    return any(
        ledger.db.execute(query + "LIMIT 1", bounds).fetchone()
        for bounds in ((first, end), (os.fsencode(first), os.fsencode(end)))
        if isinstance(bounds[0], bytes) or isinstance(to_key(first), str)
    )


def _is_input(ledger: Ledger, path: str) -> bool:
    key = to_key(path)
    found = ledger.db.execute(
        "SELECT 1 FROM plan WHERE identity = ?1 UNION ALL SELECT 1 FROM outcomes"
        " JOIN left_alone ON outcome = id WHERE identity = ?1",
        (key,),
    )
    return found.fetchone() is not None


def _item(row: tuple[Any, ...], folder: str) -> Item:
    number, identity, input_, key, place, content, cohort = row
    return Item(
        from_key(identity if input_ is None else input_),
        os.path.join(folder, from_key(key if place is None else place)),
        number,
        content,
        max(0, -cohort),
        cohort > 0,
    )
