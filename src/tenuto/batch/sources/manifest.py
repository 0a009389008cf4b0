"""Inputs that are listed somewhere: in a manifest (CSV, JSON Lines, Parquet), or on standard input.

A row is a recording. Its path is in the column ``input``, ``path`` or ``audio_filepath``; a column
``output`` may say where the result goes, below the output folder. All other columns are carried
over to the outcome. A relative path is one from the folder that the manifest is in, and of a list
from the working directory; below that folder the result has the same place, and for any other path
all of its folders are kept. Rows are read as they are needed, and a row that makes no sense is told
by its number.
"""
# Of millions of paths, strings are much smaller and faster than Path objects.
# ruff: noqa: PTH100, PTH118, PTH120, PTH122

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import BinaryIO

from tenuto.audio.names import path_from_text, path_text

from .columns import FOUND, OUTPUT, PATHS, Row, unusable_manifest
from .csv_rows import csv_rows
from .inputs import BadRow, Input
from .parquet_rows import parquet_rows
from .plain import plain

__all__ = ["read_list", "read_manifest"]

_BLOCK = 1 << 16
_LONGEST_PATH = 1_000_000
"""Bytes: beyond that it is none, on any system."""

_STANDARD_INPUT = "standard input"


def read_manifest(path: str | os.PathLike[str], folder: str) -> Iterator[Input | BadRow]:
    """What the manifest at ``path`` lists; results go below ``folder``.

    Raises ConfigurationError where it cannot be read, or is none.
    """
    path = os.path.abspath(path)
    readers = {
        ".csv": csv_rows,
        ".jsonl": _json_lines,
        ".ndjson": _json_lines,
        ".parquet": parquet_rows,
    }
    reader = readers.get(os.path.splitext(path)[1].lower())
    if reader is None:
        raise unusable_manifest(path, "give a file called .csv, .jsonl or .parquet")
    places = _Places(os.path.dirname(path), folder)
    source = path_text(path)
    try:
        for line, row in reader(path):
            yield _input_of(row, places, source, line)
    except OSError as error:
        raise unusable_manifest(path, error.strerror or str(error)) from error


def read_list(stream: BinaryIO, *, null: bool) -> Iterator[Input | BadRow]:
    """The paths in ``stream``: one a line, or, if ``null``, each ended by a NUL.

    A line ends with a line feed, or with a carriage return and a line feed.
    """
    places = _Places(os.getcwd(), "")  # noqa: PTH109
    for line, (name, ended) in enumerate(_split(stream, b"\0" if null else b"\n"), start=1):
        if not null:
            name = name.removesuffix(b"\r")  # noqa: PLW2901
        wrong = _what_is_wrong(name, only_one=null and line == 1 and not ended)
        if wrong:
            yield BadRow(_STANDARD_INPUT, line, wrong)
        elif name:
            path = places.absolute(os.fsdecode(name))
            yield Input(path, places.of(path), source=_STANDARD_INPUT, line=line)


def _what_is_wrong(name: bytes, *, only_one: bool) -> str | None:
    if b"\0" in name:
        return "there is a NUL in it: are they ended by NUL?"
    if only_one and b"\n" in name:
        return "there are line breaks in it and no NUL: leave out -0?"
    if len(name) > _LONGEST_PATH:
        return f"it is longer than {_LONGEST_PATH:,} bytes"
    return None


class _Places:
    """Where results go."""

    def __init__(self, base: str, folder: str) -> None:
        self._base = base
        self._folder = folder

    def absolute(self, path: str) -> str:
        return os.path.normpath(os.path.join(self._base, path))

    def of(self, path: str) -> str:
        """The place of the result for an input that is not told where to go."""
        below = path.startswith(self._base.rstrip(os.sep) + os.sep)
        return os.path.relpath(path, self._base) if below else path.lstrip(os.sep)

    def named(self, output: str) -> str | None:
        """The place of an output that is named; None if it is not below the folder."""
        path = os.path.normpath(os.path.join(self._folder, output))
        root = self._folder.rstrip(os.sep) + os.sep
        return path.removeprefix(root) if path.startswith(root) else None


def _input_of(row: Row, places: _Places, source: str, line: int) -> Input | BadRow:
    if isinstance(row, str):
        return BadRow(source, line, row)
    column = next((name for name in PATHS if row.get(name) not in (None, "")), None)
    if column is None:
        return BadRow(source, line, f"no path in a column {FOUND}")
    named, output = _path_of(row[column]), row.get(OUTPUT)
    if named is None:
        return BadRow(source, line, f"{row[column]!r:.100} is no path")
    path = places.absolute(named)
    try:
        carried = plain({name: row[name] for name in row if name not in (column, OUTPUT)})
    except ValueError as error:
        return BadRow(source, line, f"a column cannot be carried over: {error}")
    text = json.dumps(carried) if carried else None
    if output in (None, ""):
        return Input(path, places.of(path), carried=text, source=source, line=line)
    result = _path_of(output)
    place = None if result is None else places.named(result)
    if place is None:
        told = f"the output {output!r:.100} is no path below the output folder"
        return BadRow(source, line, told)
    return Input(path, place, named=True, carried=text, source=source, line=line)


def _path_of(value: object) -> str | None:
    """The path that ``value`` names; None where nothing can be called so."""
    if not isinstance(value, str):
        return None
    path = str(path_from_text(value))
    try:
        return None if b"\0" in os.fsencode(path) else path
    except UnicodeEncodeError:  # half a pair of surrogates
        return None


def _json_lines(path: str) -> Iterator[tuple[int, Row]]:
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:  # noqa: PTH123
        for number, text in enumerate(file, start=1):
            if text.isspace():
                continue
            try:
                row = json.loads(text)
            except (ValueError, RecursionError) as error:
                yield number, f"it is no JSON: {error}"
                continue
            yield number, row if isinstance(row, dict) else "it is no JSON object"


def _split(stream: BinaryIO, end: bytes) -> Iterator[tuple[bytes, bool]]:
    """What is in ``stream``, each with whether it has been ended by ``end``.

    Of what is longer than any path is, only a little too much.
    """
    held = bytearray()
    while block := stream.read(_BLOCK):
        *whole, rest = block.split(end)
        for part in whole:
            yield bytes(_grown(held, part)), True
            held.clear()
        _grown(held, rest)
    if held:
        yield bytes(held), False


def _grown(held: bytearray, part: bytes) -> bytearray:
    held += part[: _LONGEST_PATH + 1 - len(held)]
    return held
