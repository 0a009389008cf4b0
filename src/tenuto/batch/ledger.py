"""``outcomes.jsonl``: how every input of an output folder ended, a line each.

During a run lines are only appended, so whatever ends the run, what is written stays; a last line
that was cut short is dropped. A line about an input takes the place of earlier ones about it,
which are removed when the run ends. What is finished is not done again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from tenuto.audio.names import path_from_text, path_text
from tenuto.audio.output import draft
from tenuto.journal import Outcome, OutcomeStatus

from .plan import Item

__all__ = ["LEDGER_NAME", "Ledger"]

LEDGER_NAME = "outcomes.jsonl"


class _Entry(NamedTuple):
    output: str | None
    status: str
    line: int


class Ledger:
    """The outcomes in one output folder. One process at a time may write: see ``claim``."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = Path(folder) / LEDGER_NAME
        self._entries: dict[str, _Entry] = {}
        self._lines = 0
        self._size = 0
        self._descriptor: int | None = None
        for line in self._read():
            self._remember(line)

    def __enter__(self) -> Self:
        self._descriptor = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o666)
        os.ftruncate(self._descriptor, self._size)
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def __len__(self) -> int:
        """How many inputs have an outcome."""
        return len(self._entries)

    def is_finished(self, item: Item) -> bool:
        """Whether ``item`` has been written, and the output is still there.

        What was quarantined is not finished: it is tried again in each run.
        """
        entry = self._entries.get(path_text(item.input))
        return (
            entry is not None
            and entry.status != OutcomeStatus.QUARANTINED
            and entry.output == path_text(item.output)
            and os.path.lexists(item.output)
        )

    def knows(self, item: Item) -> bool:
        """Whether there is an outcome for the input of ``item``."""
        return path_text(item.input) in self._entries

    def outputs(self) -> dict[str, str]:
        """The output of each input that has one, as paths."""
        return {
            str(path_from_text(input_)): str(path_from_text(entry.output))
            for input_, entry in self._entries.items()
            if entry.output is not None
        }

    def append(self, outcome: Outcome) -> None:
        """Write ``outcome`` down. Where it cannot, raises OSError and leaves the file as it was."""
        assert self._descriptor is not None, "the ledger is not open for writing"
        text = json.dumps(outcome.to_dict(), ensure_ascii=False)
        line = text.encode("utf-8", "replace") + b"\n"
        try:
            written = os.write(self._descriptor, line)
            if written < len(line):  # the disk got full in the middle of it
                os.write(self._descriptor, line[written:])
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._remember(line)

    def compact(self) -> None:
        """Leave exactly one line per input, the latest. Raises OSError where that fails."""
        if self._lines == len(self._entries):
            return
        latest = {entry.line for entry in self._entries.values()}
        with draft(self.path) as path, path.open("wb") as file:
            for number, line in enumerate(self._read(), start=1):
                if number in latest:
                    file.write(line)

    def _read(self) -> Iterator[bytes]:
        """The whole lines of the file."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))

    def _remember(self, line: bytes) -> None:
        self._lines += 1
        self._size += len(line)
        try:
            fields = json.loads(line)
            entry = _Entry(fields["output"], fields["status"], self._lines)
            self._entries[fields["input"]] = entry
        except (ValueError, TypeError, KeyError):
            return  # not a line of ours: it goes when the file is next compacted
