"""What the rows of a manifest have to have."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from tenuto.audio.names import path_text
from tenuto.errors import ConfigurationError

__all__ = ["FOUND", "LONGEST_ROW", "OUTPUT", "PATHS", "Row", "check_columns", "unusable_manifest"]

PATHS = ("input", "path", "audio_filepath")
"""The columns that may have the path; the first that does counts."""

FOUND = " or ".join((", ".join(PATHS[:-1]), PATHS[-1]))
OUTPUT = "output"

LONGEST_ROW = 10_000_000
"""Characters: beyond that it is no manifest."""

Row: TypeAlias = Mapping[str, Any] | str
"""Columns by name; or what is wrong."""


def check_columns(path: str, names: Collection[str], where: str) -> None:
    """Raise ConfigurationError where none of the ``names`` in the manifest is that of a path."""
    if not set(PATHS) & set(names):
        raise unusable_manifest(path, f"{where} no column {FOUND}")


def unusable_manifest(path: str, reason: str) -> ConfigurationError:
    """What to tell where the manifest at ``path`` cannot be read."""
    return ConfigurationError(f"the manifest {path_text(path)}", reason)
