"""A stack as a table for people."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from .members import Policy, member

__all__ = ["table"]

_HEAD = ("policy", "name", "settings", "tells")
_GAP = "  "
_LONGEST_NAME = 14
_SHARE = 0.6  # of what kind and name leave, for the settings
_LEAST = 12


def table(policies: Sequence[Policy], width: int) -> str:
    """One policy under the other, outermost first, in lines of ``width`` columns at most."""
    if not policies:
        return "no policies"
    rows = [_HEAD, *map(_row, policies)]
    kind = max(len(row[0]) for row in rows)
    name = min(_LONGEST_NAME, max(len(row[1]) for row in rows))
    left = max(2 * _LEAST, width - kind - name - 3 * len(_GAP))
    settings = min(max(len(row[2]) for row in rows), int(left * _SHARE))
    widths = (kind, name, settings, left - settings)
    return "\n".join(line for row in rows for line in _lines(row, widths))


def _row(policy: Policy) -> tuple[str, str, str, str]:
    kind, tells = member(policy)
    name = policy.name or ""
    inside = str(policy).partition("(")[2].removesuffix(")").removeprefix(f"{name}: ")
    return kind, name or "–", inside, ", ".join(tells)  # noqa: RUF001  # a dash, as in the docs


def _lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    cells = [textwrap.wrap(text, width) for text, width in zip(row, widths, strict=True)]
    deepest = max(map(len, cells))
    lines = []
    for number in range(deepest):
        parts = [cell[number] if number < len(cell) else "" for cell in cells]
        padded = (part.ljust(width) for part, width in zip(parts, widths, strict=True))
        lines.append(_GAP.join(padded).rstrip())
    return lines
