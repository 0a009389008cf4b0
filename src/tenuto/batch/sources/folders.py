"""What is in folders, and which of them are one."""
# Of millions of paths, strings are much smaller and faster than Path objects.
# ruff: noqa: PTH114, PTH116

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TypeVar, cast

__all__ = ["OutputFolder", "depth_first", "identity_of", "is_folder"]

T = TypeVar("T")


class OutputFolder:
    """The folder that the results go to, by whatever name one comes to it."""

    def __init__(self, path: str) -> None:
        self.identity = identity_of(path)
        """None where it is not there yet."""
        self._real = os.path.realpath(path)

    def holds(self, folder: str) -> bool:
        """Whether ``folder`` is the output folder, or one below."""
        real = os.path.realpath(folder)
        return real == self._real or real.startswith(self._real.rstrip(os.sep) + os.sep)

    def is_entered_by(self, folder: str, identity: str | None) -> bool:
        """The same for a ``folder`` of that ``identity`` in one that it does not hold; quicker."""
        return identity is not None and (
            identity == self.identity or (os.path.islink(folder) and self.holds(folder))
        )


def identity_of(folder: str) -> str | None:
    """The same for every name of one folder; None where there is none."""
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return f"{found.st_dev}:{found.st_ino}"


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is one, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, for one
        return False


def depth_first(folder: Iterator[T | Iterator[object]]) -> Iterator[T]:
    """What is in ``folder``, and in place of each further folder in it what is in that.

    No call within a call, so that it does not matter how deep folders are.
    """
    way = [folder]
    while way:
        found = next(way[-1], None)
        if found is None:
            way.pop()
        elif isinstance(found, Iterator):
            way.append(cast("Iterator[T | Iterator[object]]", found))
        else:
            yield found
