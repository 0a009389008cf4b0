"""``outcomes.jsonl``: a line for each outcome, for people and for what reads them next.

During a run lines are only appended, so that whatever ends the run, what is written stays; a last
line that was cut short is dropped. Where an input got a second outcome, or a run was cut short, the
file is written anew from the ledger when the run ends: exactly one line for each input.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tenuto.audio.output import draft

__all__ = ["OUTCOMES_NAME", "Lines", "read_lines"]

OUTCOMES_NAME = "outcomes.jsonl"
_BLOCK = 1 << 16


class Lines:
    """The file ``path``, open for appending. One process at a time may have it: see ``claim``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open()

    def append(self, line: bytes) -> None:
        """Write ``line``. Where it cannot, raises OSError and leaves the file as it was."""
        try:
            written = os.write(self._descriptor, line)
            if written < len(line):  # the disk got full in the middle of it
                os.write(self._descriptor, line[written:])
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(line)

    def replace(self, lines: Iterable[bytes]) -> None:
        """Have exactly these lines. Raises OSError where that fails; the file is then as it was."""
        with draft(self.path) as path, path.open("wb") as file:
            file.writelines(lines)
        os.close(self._descriptor)
        self._open()

    def close(self) -> None:
        """Have all of it on the disk."""
        try:
            os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)

    def _open(self) -> None:
        self._descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o666)
        self.size = _end_of_last_line(self._descriptor)
        """Bytes."""
        os.ftruncate(self._descriptor, self.size)


def read_lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file that may not be there."""
    if path.exists():
        with path.open("rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))


def _end_of_last_line(descriptor: int) -> int:
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - _BLOCK)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
