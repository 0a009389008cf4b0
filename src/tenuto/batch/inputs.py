"""What a run is to work on: the files that the given paths mean.

- Every path named is an input, whatever it is called; also one that does not exist, so that it is
  accounted for.
- A folder stands for the sound files in it and in the folders below: those whose suffix is known.
  The other files are counted as ignored.
- A pattern (``*``, ``?``, ``[…]``, ``**``) that is not itself the name of something stands for
  what it matches, as if each match had been named.
- A file named more than once, in whatever way, is one input.
- Links to folders are followed, and each folder is read once, so that a loop ends.
- The output folder is not read, wherever it is.

The order is that of the paths given, and by name within a folder.
"""
# Of millions of paths, strings are much smaller and faster than Path objects.
# ruff: noqa: PTH100, PTH112, PTH116, PTH118, PTH119, PTH122, PTH207

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

__all__ = ["Found", "Input", "RealFolders", "find_inputs"]


@dataclass(frozen=True, slots=True)
class Input:
    """A file to work on, and its place below the output folder."""

    path: str
    place: str


@dataclass(slots=True)
class Found:
    """What the given paths mean."""

    inputs: list[Input] = field(default_factory=list)
    ignored: int = 0
    """Files in the folders that are not called like sound."""
    repeated: int = 0
    """Times a file was named again."""


class RealFolders:
    """Resolves the links in the folders of paths, each folder once."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def path(self, path: str) -> str:
        """``path`` by the real name of its folder; if the file itself is a link, it stays one."""
        folder, name = os.path.split(path)
        real = self._folders.get(folder)
        if real is None:
            real = self._folders[folder] = os.path.realpath(folder)
        return os.path.join(real, name)


def find_inputs(
    paths: Sequence[str | os.PathLike[str]],
    output: str,
    suffixes: Collection[str],
    real: RealFolders,
) -> Found:
    """Find the inputs that ``paths`` mean; ``suffixes`` are in lower case, with their dot."""
    return _Search(output, suffixes, real).run(paths)


class _Search:
    def __init__(self, output: str, suffixes: Collection[str], real: RealFolders) -> None:
        self._suffixes = suffixes
        self._found = Found()
        self._real = real
        self._seen_files: set[str] = set()
        identity = _identity(output)
        self._seen_folders = set() if identity is None else {identity}

    def run(self, paths: Sequence[str | os.PathLike[str]]) -> Found:
        for given in paths:
            for path in _expand(os.path.abspath(given)):
                if os.path.isdir(path):
                    self._take_folder(path)
                else:
                    self._take(path, os.path.basename(path))
        return self._found

    def _take(self, path: str, place: str) -> None:
        identity = self._real.path(path)
        if identity in self._seen_files:
            self._found.repeated += 1
            return
        self._seen_files.add(identity)
        self._found.inputs.append(Input(path, place))

    def _take_folder(self, root: str) -> None:
        waiting = [(root, "")]
        while waiting:
            folder, place = waiting.pop()
            identity = _identity(folder)
            if identity in self._seen_folders:
                continue
            if identity is not None:
                self._seen_folders.add(identity)
            entries = _list(folder)
            if entries is None or (not entries and self._is_sound(folder)):
                # Not to be read, or called like a sound file: somebody ought to be told.
                self._take(folder, place or os.path.basename(folder))
                continue
            below = []
            for name, is_folder in entries:
                path, its_place = os.path.join(folder, name), os.path.join(place, name)
                if is_folder:
                    below.append((path, its_place))
                elif self._is_sound(name):
                    self._take(path, its_place)
                else:
                    self._found.ignored += 1
            waiting.extend(reversed(below))

    def _is_sound(self, path: str) -> bool:
        return os.path.splitext(path)[1].lower() in self._suffixes


def _list(folder: str) -> list[tuple[str, bool]] | None:
    """The names in ``folder``, sorted, and which are folders; None where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry.name, _is_folder(entry)) for entry in entries)
    except OSError:
        return None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, for one
        return False


def _expand(path: str) -> Sequence[str]:
    if os.path.lexists(path) or not glob.has_magic(path):
        return (path,)
    return sorted(glob.glob(path, recursive=True)) or (path,)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
