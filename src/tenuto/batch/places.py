"""Where outputs go, so that no two are one file.

An output has the place of its input below the output folder, and a suffix that fits the format it
is written in. Where two inputs would become one output, the earlier keeps the plain name; a later
one is called after its whole name (``a.flac`` becomes ``a.flac.wav``), and, if that is taken too,
gets a number (``a~2.wav``). Names are kept from one run to the next: an input keeps the place that
it has, and what an earlier run wrote for one input is not given to another.
"""
# Of millions of paths, strings are much smaller and faster than Path objects.
# ruff: noqa: PTH118, PTH122

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from itertools import count

from .ledger.keys import Key
from .ledger.ledger import Ledger

__all__ = ["Places", "ends_in", "spellings"]


class Places:
    """The places in the output folder of ``ledger``; nobody gets one that is ``reserved``."""

    def __init__(self, ledger: Ledger, reserved: Collection[str]) -> None:
        self._db = ledger.db
        self._naming = ledger.naming
        self._inside = os.path.join(os.path.realpath(ledger.folder), "")
        self._reserved = {self._naming.key(place) for place in reserved}

    def first_free(self, places: Iterable[str], identity: Key) -> str | None:
        """The first that the input ``identity`` may have, if there is one."""
        return next((place for place in places if self._is_free(place, identity)), None)

    def numbered(self, plain: str, identity: Key) -> str:
        """A free one that is called ``plain`` with a number."""
        stem, suffix = os.path.splitext(plain)
        key = self._naming.key(plain)
        row = self._db.execute("SELECT latest FROM numbers WHERE key = ?", (key,)).fetchone()
        for number in count(row[0] + 1 if row else 2):
            place = f"{stem}~{number}{suffix}"
            if self._is_free(place, identity):
                break
        self._db.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?)", (key, number))
        return place

    def is_result(self, path: str, identity: Key) -> bool:
        """Whether the input ``identity``, at the real ``path``, is what became of another one."""
        if not path.startswith(self._inside):
            return False
        owner = self._owner(self._naming.key(path.removeprefix(self._inside)))
        return owner not in (None, identity)

    def _is_free(self, place: str, identity: Key) -> bool:
        key = self._naming.key(place)
        if key in self._reserved:
            return False
        if self._db.execute("SELECT 1 FROM plan WHERE key = ?", (key,)).fetchone():
            return False
        return self._owner(key) in (None, identity)

    def _owner(self, key: Key) -> Key | None:
        """The input whose output has this place."""
        found = self._db.execute("SELECT identity FROM outcomes WHERE key = ?", (key,)).fetchone()
        return None if found is None else found[0]


def spellings(place: str, suffix: str) -> list[str]:
    """The plain name of an output, and what it is called where that is taken."""
    stem, own = os.path.splitext(place)
    return [place] if suffix == own.lower() else [stem + suffix, place + suffix]


def ends_in(suffix: str, place: str) -> bool:
    """Whether ``place`` has this suffix."""
    return os.path.splitext(place)[1].lower() == suffix.lower()
