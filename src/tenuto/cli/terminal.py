"""How text gets to the terminal: plain where it should be, and never able to do harm there."""

from __future__ import annotations

import os
from pathlib import Path

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from tenuto.audio.names import path_from_text

__all__ = ["complain", "count", "duration", "fit", "make_console", "pad", "plain", "show_path"]


def make_console(*, stderr: bool = False) -> Console:
    """A console that obeys ``NO_COLOR``, and does not guess at links, numbers or markup."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


def complain(console: Console, text: str) -> None:
    """Say why the command ends."""
    console.print(Text("tenuto: ", style="bold red").append(plain(text)))


def plain(text: str) -> str:
    """``text`` on one line, with everything that could steer a terminal made visible.

    Control characters, escape sequences, bidirectional overrides and lone surrogates become
    backslash escapes.
    """
    return "".join(
        char if char.isprintable() else " " if char in "\n\t" else ascii(char)[1:-1]
        for char in text
    )


def fit(text: str, width: int) -> str:
    """``plain(text)`` cut to ``width`` columns, with an ellipsis where something is missing."""
    text = plain(text)
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)) + "…"


def pad(text: str, width: int) -> str:
    """``text`` filled with spaces to ``width`` columns."""
    return text + " " * (width - cell_len(text))


def show_path(text: str, width: int | None = None) -> str:
    """The path written as ``text``; from here, if it is below here.

    Cut to ``width`` columns at the beginning: the end tells more.
    """
    path = path_from_text(text)
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    name = plain(os.fsencode(shown).decode("utf-8", "backslashreplace"))
    if width is None or cell_len(name) <= width:
        return name
    while cell_len(name) >= width:
        name = name[1:]
    return "…" + name


def duration(seconds: float) -> str:
    """``75`` is ``1:15``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count(number: int, noun: str) -> str:
    """``3 recordings``, ``1 recording``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
