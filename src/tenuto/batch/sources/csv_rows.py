"""The rows of a CSV manifest.

A quote that is missing, or one too many, makes one row of all that follows, up to the next quote.
So rows are read strictly: what follows a closing quote must be the next field or the next row. A
row that breaks this is told by the line it begins in, with the lines that are lost with it; where a
row does not end at all, nobody can say what is in it, and the run stops.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from .columns import LONGEST_ROW, Row, check_columns, unusable_manifest

__all__ = ["csv_rows"]

_QUOTE = "is a quote missing, or one too many?"


def csv_rows(path: str) -> Iterator[tuple[int, Row]]:
    """The rows, with the number of the line that each begins in.

    Raises ConfigurationError where a quote is not closed, and where there is no header of use.
    """
    csv.field_size_limit(LONGEST_ROW)
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:  # noqa: PTH123
        lines = _Lines(file)
        reader = csv.reader(lines, strict=True)
        try:
            header = next(reader, [])
        except (csv.Error, _TooLongError) as error:
            raise unusable_manifest(path, f"its first line cannot be read: {error}") from error
        check_columns(path, header, "its first line names")
        while True:
            lines.begin_row()
            try:
                values = next(reader)
            except StopIteration:
                return
            except _TooLongError as error:
                if not lines.row_is_closed():
                    raise unusable_manifest(
                        path, f"the row that begins in line {lines.first} is too long: {_QUOTE}"
                    ) from error
                yield lines.first, str(error)
                continue
            except csv.Error as error:
                if lines.ended:
                    raise unusable_manifest(
                        path, f"the row that begins in line {lines.first} never ends: {_QUOTE}"
                    ) from error
                yield lines.first, f"{error}{lines.others()}"
                continue
            if len(values) > len(header) or (
                values and len(values) < len(header) and lines.others()
            ):
                told = f"it has {len(values)} fields, and there are {len(header)} columns"
                yield lines.first, told + lines.others()
            elif values:
                yield lines.first, dict(zip(header, values, strict=False))


class _TooLongError(Exception):
    """A row is longer than any is."""


class _Lines:
    """The lines of ``file``, and which of them make up the row that is being read."""

    def __init__(self, file: Iterable[str]) -> None:
        self._lines = iter(file)
        self._last = 0
        self._size = 0
        self._quotes = 0
        self.first = 1
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = next(self._lines)
        except StopIteration:
            self.ended = True
            raise
        self._last += 1
        self._size += len(line)
        if self._size > LONGEST_ROW:
            self._quotes = line.count('"')
            raise _TooLongError(f"it is longer than {LONGEST_ROW:,} characters")
        return line

    def begin_row(self) -> None:
        """The next line is the first of a row."""
        self.first = self._last + 1
        self._size = 0

    def row_is_closed(self) -> bool:
        """Whether a row that is too long is one line, and each quote in it has its other."""
        return self._last == self.first and self._quotes % 2 == 0

    def others(self) -> str:
        """That further lines are part of the row, if there are any."""
        if self._last <= self.first:
            return ""
        return (
            f", and goes on to line {self._last}, so that nothing in these lines is read: {_QUOTE}"
        )
