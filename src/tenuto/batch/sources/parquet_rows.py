"""The rows of a Parquet manifest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from .columns import Row, check_columns, unusable_manifest

__all__ = ["parquet_rows"]

_AT_ONCE = 1_024


def parquet_rows(path: str) -> Iterator[tuple[int, Row]]:
    """The rows, numbered from 1.

    Raises ConfigurationError without pyarrow, and where the file cannot be read or has no path.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ModuleNotFoundError as error:
        raise unusable_manifest(path, "pip install 'tenuto[parquet]'") from error
    line = 0
    try:
        with parquet.ParquetFile(path) as file:
            check_columns(path, file.schema_arrow.names, "it has")
            for batch in file.iter_batches(batch_size=_AT_ONCE):
                names = batch.schema.names
                for values in zip(*map(_values, batch.columns), strict=True):
                    line += 1
                    yield line, dict(zip(names, values, strict=True))
    except ArrowException as error:
        raise unusable_manifest(path, str(error)) from error


def _values(column: Any) -> list[Any]:
    try:
        return list(column.to_pylist())
    except Exception:  # of a kind that Python has no value for: see below
        return [_value(scalar) for scalar in column]


def _value(scalar: Any) -> Any:
    """``scalar`` in Python; as text where there is no such value, such as a nanosecond."""
    import pyarrow as pa

    try:
        return scalar.as_py()
    except Exception:  # pyarrow raises much, and differently with pandas
        kind, inner = scalar.type, getattr(scalar, "value", None)
    if isinstance(inner, pa.Scalar):  # of a dictionary, for one
        return _value(inner)
    if pa.types.is_struct(kind):
        return {name: _value(part) for name, part in scalar.items()}
    if pa.types.is_nested(kind):
        return [_value(part) for part in scalar.values]
    if hasattr(scalar, "as_buffer"):  # text that is no UTF-8
        return os.fsdecode(scalar.as_buffer().to_pybytes())
    try:
        return scalar.cast(pa.string()).as_py()
    except Exception:  # as above
        return f"{inner} {kind}"
