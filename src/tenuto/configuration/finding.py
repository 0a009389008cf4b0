"""Where the configuration is found."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tenuto.errors import ConfigurationError

__all__ = ["find_file", "read_file"]

_VARIABLE = "TENUTO_CONFIG"
_OWN = "tenuto.toml"
_SHARED = "pyproject.toml"


def find_file(explicit: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> Path | None:
    """The file that counts, as an absolute path; None where there is none.

    It is ``explicit``, else what ``TENUTO_CONFIG`` names, else ``tenuto.toml`` here, else
    ``pyproject.toml`` here, if it has a table ``[tool.tenuto]``. One file counts, never several.
    Raises ConfigurationError where one that was named is not there.
    """
    for setting, named in (("config", explicit), (_VARIABLE, environ.get(_VARIABLE))):
        if named:
            path = Path(named).absolute()
            if not path.is_file():
                raise ConfigurationError(setting, f"there is no file {path}")
            return path
    own, shared = Path(_OWN).absolute(), Path(_SHARED).absolute()
    if own.is_file():
        return own
    return shared if shared.is_file() and _has_our_table(shared) else None


def read_file(path: Path) -> Mapping[str, Any]:
    """What ``path`` says to Tenuto. Raises ConfigurationError where it cannot be read."""
    import tomllib  # only where there is a file

    try:
        with path.open("rb") as file:
            told = tomllib.load(file)
    except (OSError, ValueError) as wrong:  # of which those of TOML and of UTF-8 are
        raise ConfigurationError(str(path), f"it cannot be read: {wrong}") from wrong
    if path.name != _SHARED:
        return told
    tool = told.get("tool", {})
    ours = tool.get("tenuto", {}) if isinstance(tool, Mapping) else {}
    if not isinstance(ours, Mapping):
        raise ConfigurationError(f"{path}: tool.tenuto", "give a table")
    return ours


def _has_our_table(path: Path) -> bool:
    try:
        return bool(read_file(path))
    except ConfigurationError:  # one that is broken may have nothing to do with us
        return path.is_file() and b"tool.tenuto" in path.read_bytes()
