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

import csv
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, TypeAlias

from tenuto.audio.names import path_from_text, path_text
from tenuto.errors import ConfigurationError

from .inputs import BadRow, Input

__all__ = ["read_list", "read_manifest"]

_COLUMNS = ("input", "path", "audio_filepath")
_OUTPUT = "output"
_BLOCK = 1 << 16
_LONGEST_ROW = 10_000_000  # characters: beyond that it is no manifest
_FOUND = " or ".join((", ".join(_COLUMNS[:-1]), _COLUMNS[-1]))

Row: TypeAlias = Mapping[str, Any] | str
"""Columns by name; or what is wrong."""


def read_manifest(path: str | os.PathLike[str], folder: str) -> Iterator[Input | BadRow]:
    """What the manifest at ``path`` lists; results go below ``folder``.

    Raises ConfigurationError where it cannot be read, or is none.
    """
    path = os.path.abspath(path)
    readers = {".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines, ".parquet": _parquet}
    reader = readers.get(os.path.splitext(path)[1].lower())
    if reader is None:
        raise ConfigurationError(
            f"the manifest {path_text(path)}", "give a file called .csv, .jsonl or .parquet"
        )
    places = _Places(os.path.dirname(path), folder)
    source = path_text(path)
    try:
        for line, row in reader(path):
            yield _input_of(row, places, source, line)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(f"the manifest {source}", reason) from error


def read_list(stream: BinaryIO, *, null: bool) -> Iterator[Input | BadRow]:
    """The paths in ``stream``: one a line, or, if ``null``, each ended by a NUL."""
    places = _Places(os.getcwd(), "")  # noqa: PTH109
    for line, name in enumerate(_split(stream, b"\0" if null else b"\n"), start=1):
        if b"\0" in name:
            yield BadRow("standard input", line, "there is a NUL in it: are they ended by NUL?")
        elif name:
            path = places.absolute(os.fsdecode(name))
            yield Input(path, places.of(path), source="standard input", line=line)


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
    column = next((name for name in _COLUMNS if row.get(name) not in (None, "")), None)
    if column is None:
        return BadRow(source, line, f"no path in a column {_FOUND}")
    path, output = row[column], row.get(_OUTPUT)
    if not _is_path(path):
        return BadRow(source, line, f"{path!r:.100} is no path")
    path = places.absolute(str(path_from_text(path)))
    carried = {name: value for name, value in row.items() if name not in (column, _OUTPUT)}
    text = json.dumps(carried, default=str) if carried else None
    if output in (None, ""):
        return Input(path, places.of(path), carried=text, source=source, line=line)
    place = places.named(str(path_from_text(output))) if _is_path(output) else None
    if place is None:
        told = f"the output {output!r:.100} is no path below the output folder"
        return BadRow(source, line, told)
    return Input(path, place, named=True, carried=text, source=source, line=line)


def _is_path(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _csv(path: str) -> Iterator[tuple[int, Row]]:
    csv.field_size_limit(_LONGEST_ROW)
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:  # noqa: PTH123
        reader = csv.reader(file)
        try:
            header = next(reader, [])
        except csv.Error as error:
            raise ConfigurationError(
                f"the manifest {path_text(path)}", f"its first line cannot be read: {error}"
            ) from error
        if not set(_COLUMNS) & set(header):
            raise ConfigurationError(
                f"the manifest {path_text(path)}", f"its first line names no column {_FOUND}"
            )
        while True:
            line = reader.line_num + 1
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, str(error)
                continue
            if len(values) > len(header):
                yield line, f"it has {len(values)} fields, and there are {len(header)} columns"
            elif values:
                yield line, dict(zip(header, values, strict=False))


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


def _parquet(path: str) -> Iterator[tuple[int, Row]]:
    try:
        from pyarrow import ArrowException, parquet
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the manifest {path_text(path)}", "pip install 'tenuto[parquet]'"
        ) from error
    try:
        with parquet.ParquetFile(path) as file:
            if not set(_COLUMNS) & set(file.schema_arrow.names):
                raise ConfigurationError(
                    f"the manifest {path_text(path)}", f"it has no column {_FOUND}"
                )
            line = 0
            for batch in file.iter_batches(batch_size=_BLOCK // 64):
                for row in batch.to_pylist():
                    line += 1
                    yield line, row
    except ArrowException as error:
        raise ConfigurationError(f"the manifest {path_text(path)}", str(error)) from error


def _split(stream: BinaryIO, end: bytes) -> Iterator[bytes]:
    rest = b""
    while block := stream.read(_BLOCK):
        *whole, rest = (rest + block).split(end)
        yield from whole
    if rest:
        yield rest
