"""Find the files of an installed package without importing it.

Some packages carry a good model and import half of PyPI; only their files are wanted.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from tenuto.errors import ConfigurationError

__all__ = ["find_file", "require_file"]


def find_file(distribution: str, *names: str) -> Path | None:
    """The first file of an installed distribution that has one of the names, or None."""
    try:
        files = metadata.files(distribution)
    except metadata.PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())) for file in files or () if file.name in names)
    return next((path for path in paths if path.is_file()), None)


def require_file(distribution: str, *names: str) -> Path:
    """As ``find_file``, but raises ConfigurationError where there is none."""
    path = find_file(distribution, *names)
    if path is None:
        raise ConfigurationError(
            setting=distribution, remedy=f"pip install --force-reinstall --no-deps {distribution}"
        )
    return path
