"""What a run is to work on: the files that the given paths mean.

- Every path named is an input, whatever it is called; also one that does not exist, so that it is
  accounted for.
- A folder stands for the sound files in it and in the folders below: those whose suffix is known.
  The other files are counted as ignored.
- A pattern (``*``, ``?``, ``[…]``, ``**``) that is not itself the name of something stands for
  what it matches, as if each match had been named.
- Links to folders are followed, and each folder is read once, so that a loop ends.
- The output folder is not read, wherever it is and by whatever name. Only a path or pattern that
  begins below it is taken at its word.

The order is that of the paths given, and by name within a folder. A file may come up more than
once: that is for who takes them to find out.
"""
# Of millions of paths, strings are much smaller and faster than Path objects.
# ruff: noqa: PTH100, PTH112, PTH114, PTH118, PTH119, PTH122

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from .folders import OutputFolder, depth_first, identity_of, is_folder
from .patterns import Matches, Pattern, is_pattern
from .sorting import Sorter

__all__ = ["BadRow", "Input", "Search"]

_FILE, _FOLDER = b"0", b"1"
"""Before a name: the files of a folder come before what is below it."""


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

    ``is_new`` is told of each folder that is read by a text of its own, and says whether it was
    told the first time. ``output`` is the folder that the results go to.
    """

    def __init__(
        self, suffixes: Collection[str], is_new: Callable[[str], bool], output: str
    ) -> None:
        self._suffixes = suffixes
        self._is_new = is_new
        self._output = OutputFolder(output)
        self._sorter = Sorter()
        self.ignored = 0
        """Files in the folders that are not called like sound."""

    def find(self, paths: Sequence[str | os.PathLike[str]]) -> Iterator[Input]:
        """The inputs that ``paths`` mean."""
        if self._output.identity is not None:
            self._is_new(self._output.identity)  # it is not read
        with self._sorter:
            for number, given in enumerate(paths):
                for path in self._expand(os.fspath(given), number):
                    if os.path.isdir(path):
                        yield from depth_first(self._read(path, "", path))
                    else:
                        yield Input(path, os.path.basename(path))

    def _expand(self, given: str, number: int) -> Iterator[str]:
        path = os.path.abspath(given)
        if os.path.lexists(path) or not is_pattern(given):
            yield path
            return
        matches = Matches(
            Pattern(given),
            self._sorter,
            self._output,
            lambda identity: self._is_new(f"{identity} {number}"),
        )
        none = True
        for match in matches:
            none = False
            yield match
        if none:
            yield path

    def _read(self, folder: str, place: str, root: str) -> Iterator[Input | Iterator[object]]:
        identity = identity_of(folder)
        if identity is not None and not self._is_new(identity):
            return
        names = self._list(folder)
        first = next(names, None) if names else None
        if names is None or (first is None and self._is_sound(folder)):
            # Not to be read, or called like a sound file: somebody ought to be told.
            yield Input(folder, place or os.path.basename(folder))
            return
        for key in chain([first] if first else [], names):
            name = os.fsdecode(key[1:])
            path, its_place = os.path.join(folder, name), os.path.join(place, name)
            if key.startswith(_FOLDER):
                if not self._leads_to_output(path, root):
                    yield self._read(path, its_place, root)
            elif self._is_sound(name):
                yield Input(path, its_place)
            else:
                self.ignored += 1

    def _list(self, folder: str) -> Iterator[bytes] | None:
        """The names in ``folder``, in order; None where it cannot be read."""
        try:
            with os.scandir(folder) as entries:
                return self._sorter.in_order(
                    (_FOLDER if is_folder(entry) else _FILE) + os.fsencode(entry.name)
                    for entry in entries
                )
        except OSError:
            return None

    def _leads_to_output(self, folder: str, root: str) -> bool:
        """Whether a link in ``root`` leads to the output folder, from outside."""
        return (
            os.path.islink(folder) and self._output.holds(folder) and not self._output.holds(root)
        )

    def _is_sound(self, path: str) -> bool:
        return os.path.splitext(path)[1].lower() in self._suffixes
