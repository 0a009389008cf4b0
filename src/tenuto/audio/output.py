"""Writing a file so that it is either whole or not there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["discard_drafts", "draft", "is_draft"]

_PREFIX, _SUFFIX = ".tenuto-", ".part"


@contextmanager
def draft(output: Path) -> Iterator[Path]:
    """A path to write to, which becomes ``output`` when the block ends well.

    The draft is in the folder of ``output``, which is made if need be, and is on the disk before
    it gets its name; so is the folder afterwards. If the block raises, nothing is left behind.
    Raises OSError where the folder cannot be written to, or is full.
    """
    folder = output.parent
    folder.mkdir(parents=True, exist_ok=True)
    # The name does not contain the output's: that may be as long as a name may be.
    path = folder / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
    try:
        yield path
        _sync(path)
        path.replace(output)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
    with suppress(OSError):  # some file systems cannot sync a folder; the file itself is safe
        _sync(folder)


def is_draft(name: str) -> bool:
    """Whether a file of this name is a draft."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


def discard_drafts(folder: Path, pid: int) -> None:
    """Remove what the process ``pid``, which has ended, was writing in ``folder``."""
    with suppress(OSError):  # a draft that stays hurts nobody; the folder may be gone
        for path in folder.glob(f"{_PREFIX}{pid}-*{_SUFFIX}"):
            path.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
