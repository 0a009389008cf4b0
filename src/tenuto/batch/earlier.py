"""Whether the outcome that an input has still holds, or why it is worked on again.

An outcome holds as long as the input has the same content and the work would be done with the same
settings and versions. The content is taken to be the same while size and time of change are; where
only the time is another, whoever works on it compares the hash. Of an input that is gone nothing
better can be had: while its output is there, its outcome holds whatever else has changed.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from dataclasses import dataclass
from typing import NamedTuple

from tenuto.journal import OutcomeStatus

from .ledger.keys import Key, from_key
from .plan import Again
from .replay import Replay

__all__ = ["Earlier", "File", "Holding", "Mention"]

_EARLIER = """
SELECT id, key, place, carried, status, size, modified_ns, content, parameters, error_group,
    fault_class, EXISTS (SELECT 1 FROM left_alone WHERE outcome = id)
FROM outcomes WHERE identity = ?
"""


class Mention(NamedTuple):
    """What is known of the row that named an input."""

    key: Key | None
    place: Key | None
    carried: str | None

    @property
    def output(self) -> str | None:
        """The place of its output below the output folder."""
        found = self.key if self.place is None else self.place
        return None if found is None else from_key(found)


class Earlier(NamedTuple):
    """The outcome that an input has."""

    number: int
    key: Key | None
    place: Key | None
    carried: str | None
    status: str
    size: int | None
    modified_ns: int | None
    content: str | None
    parameters: int | None
    group: str | None
    fault_class: str | None
    left_alone: int
    """Whether it has been decided already that it holds."""

    @classmethod
    def of(cls, db: sqlite3.Connection, identity: Key) -> Earlier | None:
        """That of the input ``identity``, if it has one."""
        row = db.execute(_EARLIER, (identity,)).fetchone()
        return None if row is None else cls._make(row)

    @property
    def mention(self) -> Mention:
        """What it says of the row that named its input."""
        return Mention(self.key, self.place, self.carried)


class File(NamedTuple):
    """An input as it is now; nothing is known of one that is no file."""

    size: int | None = None
    modified_ns: int | None = None

    @classmethod
    def at(cls, path: str) -> File:
        """What there is at ``path``."""
        try:
            found = os.stat(path)  # noqa: PTH116 - of millions of paths, strings are much faster
        except OSError:
            return cls()
        return cls(found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else cls()


@dataclass(frozen=True, slots=True)
class Holding:
    """What makes an outcome hold in this run."""

    parameters: int
    """The ledger's number of what the work would be done with."""
    overwrite: bool
    replay: Replay | None

    def why_again(
        self, earlier: Earlier, file: File, *, output_is_there: bool
    ) -> tuple[Again | None, str]:
        """Why the input is worked on again, if it is; and what may prove that needless.

        That is the hash of its content: where it is still the same, the outcome holds.
        """
        written = earlier.status != OutcomeStatus.QUARANTINED
        if written and output_is_there and file.size is None:
            return None, ""
        if self.overwrite:
            return Again.OVERWRITTEN, ""
        if earlier.parameters != self.parameters:
            return Again.PARAMETERS, ""
        if written and not output_is_there:
            return Again.GONE, ""
        change = _change(earlier, file)
        if not written and change is not Again.CHANGED and self._replays(earlier):
            return Again.REPLAYED, ""
        return change, (earlier.content or "") if change is Again.TOUCHED else ""

    def _replays(self, earlier: Earlier) -> bool:
        return self.replay is not None and self.replay.takes(earlier.group, earlier.fault_class)


def _change(earlier: Earlier, file: File) -> Again | None:
    if file.size is None or file == (earlier.size, earlier.modified_ns):
        return None
    may_be_same = earlier.content and earlier.size in (file.size, None)
    return Again.TOUCHED if may_be_same else Again.CHANGED
