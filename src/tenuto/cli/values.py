"""What people may give as a name, a size or a duration: the same for every command."""

from __future__ import annotations

import re

import click

from tenuto.configuration.values import seconds

__all__ = ["DURATION", "NAME", "SIZE"]

_PREFIXES = "kmgt"
_SIZE = re.compile(rf"(\d+(?:\.\d+)?)\s*(?:([{_PREFIXES}]?)(i?)b|([{_PREFIXES}]))?")


class _Name(click.ParamType[str]):
    """Of a file or folder: ``"$UNSET"`` is none, and must not be taken for the current folder."""

    name = "name"

    def convert(self, value: object, param: object, ctx: object) -> str:  # noqa: ARG002 - click's signature
        if value == "":
            self.fail("an empty name: is a variable not set?")
        return str(value)


class _Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: object, param: object, ctx: object) -> int:  # noqa: ARG002 - click's signature
        found = _SIZE.fullmatch(str(value).strip().lower())
        if found is None or (found[3] and not found[2]):
            self.fail(f"{value!r} is no size: write 500M, 2GB or 1.5GiB")
        power = 1 + _PREFIXES.index(prefix) if (prefix := found[2] or found[4]) else 0
        return int(float(found[1]) * (1024 if found[3] else 1000) ** power)


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(self, value: object, param: object, ctx: object) -> float:  # noqa: ARG002 - click's signature
        try:
            return seconds(value)
        except ValueError:
            self.fail(f"{value!r} is no duration: write 30m, 12h or 2d")


NAME, SIZE, DURATION = _Name(), _Size(), _Duration()
"""A size is in bytes: KB, MB, GB and TB, or K, M, G, T, are powers of 1000, KiB to TiB of 1024."""
