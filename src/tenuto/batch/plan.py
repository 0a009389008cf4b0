"""Which input becomes which output.

An output has the place of its input below the output folder, and a suffix that fits the format it
is written in. Where two inputs would become one output, the earlier keeps the plain name; a later
one is called after its whole name (``a.flac`` becomes ``a.flac.wav``), and, if that is taken too,
gets a number (``a~2.wav``). Names are kept from one run to the next: what an earlier run wrote for
one input is not given to another.
"""
# Of millions of paths, strings are much smaller and faster than Path objects.
# ruff: noqa: PTH100, PTH112, PTH118, PTH122

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from tenuto.errors import ConfigurationError

from .inputs import Input, RealFolders, find_inputs

__all__ = ["Item", "Plan", "make_plan"]


@dataclass(frozen=True, slots=True)
class Item:
    """One input and the output it becomes; both are absolute paths."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The work of a run."""

    folder: str
    """The output folder, absolute."""
    items: tuple[Item, ...]
    renamed: tuple[Item, ...]
    """The items whose output could not have its plain name."""
    ignored: int
    """Files in the input folders that are not called like sound."""
    repeated: int
    """Times a file was named again."""


def make_plan(
    paths: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    suffixes: Mapping[str, str],
    suffix: str | None = None,
    earlier: Mapping[str, str] | None = None,
    reserved: Collection[str] = (),
) -> Plan:
    """Plan to enhance ``paths`` into the folder ``output``.

    ``suffixes`` are those of sound files (lower case, with the dot), each with the suffix of its
    output; ``suffix`` is the one for all outputs instead. ``earlier`` maps inputs to the outputs
    an earlier run gave them; ``reserved`` are names that no output may have. Raises
    ConfigurationError if an output would replace an input.
    """
    folder = os.path.abspath(output)
    real = RealFolders()
    for path in paths:
        if os.path.isdir(path) and os.path.realpath(path) == os.path.realpath(folder):
            raise ConfigurationError("the output folder", "it is an input folder; name another one")
    found = find_inputs(paths, folder, suffixes, real)
    names = _Names(folder, earlier or {}, reserved)
    items: list[Item] = []
    renamed: list[Item] = []
    for each in found.inputs:
        plain, *others = _spellings(each.place, suffixes, suffix)
        item = Item(each.path, names.give(each, [plain, *others]))
        items.append(item)
        if item.output != os.path.join(folder, plain):
            renamed.append(item)
    inputs = {real.path(item.input) for item in items}
    for item in items:
        if real.path(item.output) in inputs:
            raise ConfigurationError(
                "the output folder", f"{item.output} would replace an input; name another folder"
            )
    return Plan(folder, tuple(items), tuple(renamed), found.ignored, found.repeated)


def _spellings(place: str, suffixes: Mapping[str, str], suffix: str | None) -> list[str]:
    """The plain name of an output, and what it is called where that is taken."""
    stem, own = os.path.splitext(place)
    new = suffix or suffixes.get(own.lower(), own)
    plain = place if new == own.lower() else stem + new
    return [plain] if new == own.lower() else [plain, place + new]


class _Names:
    """Gives each output a name of its own."""

    def __init__(self, folder: str, earlier: Mapping[str, str], reserved: Collection[str]) -> None:
        self._folder = folder
        self._earlier = earlier
        self._owners = {output: input_ for input_, output in earlier.items()}
        self._taken = {os.path.join(folder, name) for name in reserved}

    def give(self, each: Input, spellings: Sequence[str]) -> str:
        output = self._earlier.get(each.path)
        if output is None or output in self._taken or not self._is_one_of(output, spellings):
            output = next(name for name in self._all(spellings) if self._is_free(name, each))
        self._taken.add(output)
        return output

    def _is_free(self, output: str, each: Input) -> bool:
        return output not in self._taken and self._owners.get(output, each.path) == each.path

    def _all(self, spellings: Sequence[str]) -> Iterator[str]:
        paths = [os.path.join(self._folder, place) for place in spellings]
        yield from paths
        stem, suffix = os.path.splitext(paths[0])
        for number in count(2):
            yield f"{stem}~{number}{suffix}"

    def _is_one_of(self, output: str, spellings: Sequence[str]) -> bool:
        paths = [os.path.join(self._folder, place) for place in spellings]
        stem, suffix = os.path.splitext(paths[0])
        number = output.removeprefix(f"{stem}~").removesuffix(suffix)
        return output in paths or (number.isdecimal() and output == f"{stem}~{number}{suffix}")
