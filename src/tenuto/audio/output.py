"""Writing a file so that it is either whole or not there."""

from __future__ import annotations

import errno
import os
import platform
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Drafts", "discard_drafts", "draft", "is_draft"]

_PREFIX, _SUFFIX = ".tenuto-", ".part"


class Drafts:
    """Attempts at one file, of which one gets its name. What is left at the end is removed."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self._paths: list[Path] = []

    def new(self) -> Path:
        """A path to write to, in the folder of the output, which is made if need be.

        Raises OSError where it cannot be made.
        """
        folder = self.output.parent
        folder.mkdir(parents=True, exist_ok=True)
        # The name does not contain the output's: that may be as long as a name may be.
        path = folder / f"{_of(os.getpid())}{secrets.token_hex(4)}{_SUFFIX}"
        self._paths.append(path)
        return path

    def publish(self, path: Path) -> None:
        """Give a draft its name once it is on the disk, and have the folder there as well.

        Raises OSError where the disk has no room for it after all, or somebody has removed it.
        """
        try:
            _sync(path)
            path.replace(self.output)
        except FileNotFoundError as error:  # which says nothing about the recording
            raise OSError(errno.ESTALE, "was removed before it was done", str(path)) from error
        with suppress(OSError):  # some file systems cannot sync a folder; the file itself is safe
            _sync(self.output.parent)

    @staticmethod
    def discard(path: Path) -> None:
        """Remove a draft, if it is there."""
        with suppress(OSError):  # one that stays hurts nobody
            path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for path in self._paths:
            self.discard(path)


@contextmanager
def draft(output: Path) -> Iterator[Path]:
    """A path to write to, which becomes ``output`` when the block ends well.

    The draft is in the folder of ``output``, which is made if need be, and is on the disk before
    it gets its name; so is the folder afterwards. If the block raises, nothing is left behind.
    Raises OSError where the folder cannot be written to, or is full.
    """
    with Drafts(output) as drafts:
        path = drafts.new()
        yield path
        drafts.publish(path)


def is_draft(name: str) -> bool:
    """Whether a file of this name is a draft."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


def discard_drafts(folder: Path, pid: int) -> None:
    """Remove what the process ``pid`` of this machine, which has ended, was writing there."""
    theirs = _of(pid)
    # A draft that stays hurts nobody; the folder may be gone, or have millions of files.
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(theirs) and entry.name.endswith(_SUFFIX):
                Path(entry.path).unlink()


def _of(pid: int) -> str:
    """How the drafts of a process begin."""
    return f"{_PREFIX}{_where_pids_differ()}-{pid}-"


@cache
def _where_pids_differ() -> str:
    """A name for all processes with numbers of their own among those that share a folder.

    Machines count their processes each for itself, and so do containers, which may all have the
    name of the machine that they are on.
    """
    told = [platform.node()]
    with suppress(OSError):  # there is no such thing but on Linux
        told.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        told.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return blake2b(" ".join(told).encode(), digest_size=6).hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
