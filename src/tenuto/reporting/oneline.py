"""Text that cannot break out of the line it is printed on."""

from __future__ import annotations

import math

from tenuto.capture import Plain

__all__ = ["one_line", "one_line_value"]

_LONGEST = 1000  # characters


def one_line(text: str) -> str:
    """``text`` with everything escaped that moves a cursor, colours, reorders or is invisible.

    That is what Python calls unprintable: controls and escape sequences, line and paragraph
    separators, bidirectional and other format characters, lone surrogates.
    """
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def one_line_value(value: Plain) -> bool | float | str | None:
    """A value for one field of a line; of containers, and of what JSON has no number for, text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (bool, int)) or value is None:
        return value
    return one_line(value if isinstance(value, str) else str(value))
