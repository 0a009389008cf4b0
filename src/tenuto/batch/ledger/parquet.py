"""Outcomes as a Parquet file, for what trains on them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from tenuto.audio.output import draft
from tenuto.errors import ConfigurationError

from .rows import Entry

__all__ = ["write_parquet"]

_AT_ONCE = 10_000
_TEXT, _NUMBER, _WHOLE = "string", "float64", "int64"
_TYPES = {
    **dict.fromkeys(("input", "output", "status", "tier"), _TEXT),
    **dict.fromkeys(("quality_before", "quality_after", "seconds", "audio_seconds"), _NUMBER),
    **dict.fromkeys(("reason", "engine", "fault_class", "group", "content"), _TEXT),
    **dict.fromkeys(("attempts", "size", "modified_ns"), _WHOLE),
    "parameters": _TEXT,
    "manifest": _TEXT,
}


def write_parquet(entries: Iterable[Entry], path: str) -> int:
    """Write ``entries`` to the file ``path``, whole or not at all; how many there were.

    The columns are the keys of ``outcomes.jsonl``; ``manifest`` is a text, in JSON. Raises
    ConfigurationError without pyarrow, and OSError where the file cannot be written.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise ConfigurationError("Parquet", "pip install 'tenuto[parquet]'") from error
    fields = [(name, getattr(pa, kind)()) for name, kind in _TYPES.items()]
    schema = pa.schema([*fields, ("errors", pa.list_(pa.string()))])
    source, number = iter(entries), 0
    with draft(Path(path)) as file, parquet.ParquetWriter(file, schema) as writer:
        while rows := [_row(entry) for entry in islice(source, _AT_ONCE)]:
            writer.write_table(pa.Table.from_pylist(rows, schema))
            number += len(rows)
    return number


def _row(entry: Entry) -> dict[str, Any]:
    carried = None if entry.carried is None else json.dumps(entry.carried)
    return {**entry.outcome.to_dict(), "manifest": carried}
