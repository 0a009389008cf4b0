"""What a run is to work on: the files that the given paths mean.

- Every path named is an input, whatever it is called; also one that does not exist, so that it is
  accounted for.
- A folder stands for the sound files in it and in the folders below: those whose suffix is known.
  The other files are counted as ignored.
- A pattern (``*``, ``?``, ``[…]``, ``**``) that is not itself the name of something stands for
  what it matches, as if each match had been named.
- Links to folders are followed, and each folder is read once, so that a loop ends.
- The output folder is not read, wherever it is.

The order is that of the paths given, and by name within a folder. A file may come up more than
once: that is for who takes them to find out.
"""
# Of millions of paths, strings are much smaller and faster than Path objects.
# ruff: noqa: PTH100, PTH112, PTH116, PTH118, PTH119, PTH122, PTH207

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from .sorting import in_order

__all__ = ["BadRow", "Input", "Search", "identity_of"]


class Input(NamedTuple):
    """A file to work on, and its place below the output folder."""

    path: str
    """Absolute."""
    place: str
    named: bool = False
    """Whether the place is where the output must be, and nothing else will do."""
    carried: str | None = None
    """Further columns of a manifest, as JSON."""
    source: str = ""
    """Where it was named, if that was in a manifest or a list."""
    line: int = 0


class BadRow(NamedTuple):
    """A row of a manifest, or a line of a list, that names no input."""

    source: str
    line: int
    reason: str


class Search:
    """Finds the inputs that paths mean; ``suffixes`` are in lower case, with their dot.

    ``is_new`` is told of each folder by its identity, and says whether it was told the first time.
    """

    def __init__(self, suffixes: Collection[str], is_new: Callable[[str], bool]) -> None:
        self._suffixes = suffixes
        self._is_new = is_new
        self.ignored = 0
        """Files in the folders that are not called like sound."""

    def find(self, paths: Sequence[str | os.PathLike[str]]) -> Iterator[Input]:
        """The inputs that ``paths`` mean."""
        for given in paths:
            for path in _expand(os.path.abspath(given)):
                if os.path.isdir(path):
                    yield from self._in_folder(path)
                else:
                    yield Input(path, os.path.basename(path))

    def _in_folder(self, root: str) -> Iterator[Input]:
        waiting = [(root, "")]
        while waiting:
            folder, place = waiting.pop()
            identity = identity_of(folder)
            if identity is not None and not self._is_new(identity):
                continue
            entries = _list(folder)
            first = next(entries, None) if entries else None
            if entries is None or (first is None and self._is_sound(folder)):
                # Not to be read, or called like a sound file: somebody ought to be told.
                yield Input(folder, place or os.path.basename(folder))
                continue
            below = []
            for name, is_folder in chain([first] if first else [], entries):
                path, its_place = os.path.join(folder, name), os.path.join(place, name)
                if is_folder:
                    below.append((path, its_place))
                elif self._is_sound(name):
                    yield Input(path, its_place)
                else:
                    self.ignored += 1
            waiting.extend(reversed(below))

    def _is_sound(self, path: str) -> bool:
        return os.path.splitext(path)[1].lower() in self._suffixes


def identity_of(folder: str) -> str | None:
    """The same for every name of one folder; None where there is none."""
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return f"{found.st_dev}:{found.st_ino}"


def _list(folder: str) -> Iterator[tuple[str, bool]] | None:
    """The names in ``folder``, in order, and which are folders; None where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return in_order((entry.name, _is_folder(entry)) for entry in entries)
    except OSError:
        return None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, for one
        return False


def _expand(path: str) -> Iterator[str]:
    if os.path.lexists(path) or not glob.has_magic(path):
        yield path
        return
    none = True
    for match, _ in in_order((match, False) for match in glob.iglob(path, recursive=True)):
        none = False
        yield match
    if none:
        yield path
