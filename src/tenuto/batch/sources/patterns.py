"""What a pattern matches, read folder by folder.

As ``glob`` has it: ``*``, ``?`` and ``[…]`` are within one name; ``**`` stands for any folders in
folders, none included; names that begin with a dot are only matched by a dot. Unlike ``glob``, it
holds no folder in memory, and a loop of links ends.
"""
# Of millions of paths, strings are much smaller and faster than Path objects.
# ruff: noqa: PTH100, PTH112, PTH117, PTH118, PTH206

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import translate
from glob import has_magic
from typing import TypeAlias

from .folders import OutputFolder, depth_first, identity_of, is_folder
from .sorting import Sorter

__all__ = ["Matches", "Pattern", "is_pattern"]

States: TypeAlias = tuple[int, ...]
"""How many parts of a pattern are matched when one comes to a folder; ``**`` allows several."""

_ANY_DEPTH = "**"
_BELOW = os.fsencode(os.sep)
"""Ends what is to be looked into: it then comes where the paths below it belong."""


def is_pattern(typed: str) -> bool:
    """Whether ``typed`` has anything in it that makes a pattern."""
    return has_magic(os.path.normpath(typed))


class Pattern:
    """A pattern as it was ``typed``: the folder that its literal beginning names, and the rest."""

    def __init__(self, typed: str) -> None:
        parts = os.path.normpath(typed).split(os.sep)
        first = next(number for number, part in enumerate(parts) if has_magic(part))
        beginning = os.sep.join(parts[:first])
        # The working directory is no part of it: there may be brackets in its name.
        self.root = os.path.abspath(beginning or (os.sep if os.path.isabs(typed) else os.curdir))
        self.end = len(parts) - first
        """The state of what matches."""
        self._parts = [_Part(part) for part in parts[first:]]
        self.is_recursive = _ANY_DEPTH in parts

    @property
    def start(self) -> States:
        """The states in ``root``."""
        return self._closed({0})

    def matches(self, states: States, name: str) -> bool:
        """Whether ``name``, in a folder with ``states``, is a match, be it a folder or not."""
        last = self.end - 1
        return last in states and self._parts[last].fits(name)

    def below(self, states: States, name: str) -> States:
        """The states in the folder ``name`` in a folder with ``states``; none if it is no match."""
        return self._closed(
            {
                state if part.any_depth else state + 1
                for state, part in self._parts_at(states)
                if part.fits(name)
            }
        )

    def names(self, states: States) -> list[str] | None:
        """The only names that can match in a folder with ``states``, if that can be said."""
        parts = [part for _, part in self._parts_at(states)]
        if any(part.is_magic for part in parts):
            return None
        return sorted({part.text for part in parts})

    def _parts_at(self, states: States) -> Iterable[tuple[int, _Part]]:
        return ((state, self._parts[state]) for state in states if state < self.end)

    def _closed(self, states: set[int]) -> States:
        """With those that are reached as ``**`` may stand for no folder at all."""
        for state in range(self.end):
            if state in states and self._parts[state].any_depth:
                states.add(state + 1)
        return tuple(sorted(states))


class _Part:
    """What a pattern says of one name on the way."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.any_depth = text == _ANY_DEPTH
        self.is_magic = has_magic(text)
        self._match = re.compile(translate(text)).match
        self._hides = self.is_magic and not text.startswith(".")

    def fits(self, name: str) -> bool:
        if self._hides and name.startswith("."):
            return False
        return self._match(name) is not None if self.is_magic else name == self.text


class Matches:
    """The paths that match ``pattern``, in the order of their bytes.

    Of the ``output`` folder nothing is one, unless the pattern begins there. ``is_new`` is told of
    each folder that ``**`` leads to, and says whether it was told the first time.
    """

    def __init__(
        self, pattern: Pattern, sorter: Sorter, output: OutputFolder, is_new: Callable[[str], bool]
    ) -> None:
        self._pattern = pattern
        self._sorter = sorter
        self._output = output
        self._is_new = is_new
        self._spares_output = not output.holds(pattern.root)

    def __iter__(self) -> Iterator[str]:
        root, states = self._pattern.root, self._pattern.start
        if self._pattern.end in states and os.path.isdir(root):
            yield root
        yield from depth_first(self._read(root, states))

    def _read(self, folder: str, states: States) -> Iterator[str | Iterator[object]]:
        identity = identity_of(folder)
        if self._is_spared(folder, identity):
            return
        if self._pattern.is_recursive and not self._is_new(f"{identity} {states}"):
            return
        try:
            keys = self._sorter.in_order(self._keys(folder, states))
        except OSError:
            return
        for key in keys:
            name = os.fsdecode(key.removesuffix(_BELOW))
            path = os.path.join(folder, name)
            if key.endswith(_BELOW):
                yield self._read(path, self._pattern.below(states, name))
            else:
                yield path

    def _keys(self, folder: str, states: States) -> Iterator[bytes]:
        pattern = self._pattern
        for name, is_folder_too in self._entries(folder, pattern.names(states)):
            matches = pattern.matches(states, name)
            below = pattern.below(states, name) if is_folder_too else ()
            if matches or pattern.end in below:
                if is_folder_too and self._is_spared(
                    path := os.path.join(folder, name), identity_of(path)
                ):
                    continue
                yield os.fsencode(name)
            if below not in ((), (pattern.end,)):
                yield os.fsencode(name) + _BELOW

    def _is_spared(self, folder: str, identity: str | None) -> bool:
        return self._spares_output and self._output.is_entered_by(folder, identity)

    @staticmethod
    def _entries(folder: str, names: list[str] | None) -> Iterator[tuple[str, bool]]:
        """The names in ``folder``, or those of ``names`` that are there; and which are folders."""
        if names is None:
            with os.scandir(folder) as entries:
                for entry in entries:
                    yield entry.name, is_folder(entry)
            return
        for name in names:
            path = os.path.join(folder, name)
            if os.path.lexists(path):
                yield name, os.path.isdir(path)
