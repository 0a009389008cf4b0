"""How text gets to the terminal: plain where it should be, and never able to do harm there."""

from __future__ import annotations

import io
import os
import sys
from datetime import datetime
from pathlib import Path

import click
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from tenuto.audio.names import path_from_text

__all__ = [
    "TIERS",
    "UNBOUNDED",
    "Refusal",
    "ago",
    "complain",
    "count",
    "duration",
    "fit",
    "make_console",
    "moment",
    "pad",
    "plain",
    "show_path",
]


TIERS = {"high": "high_quality", "medium": "medium_quality"}
"""What people may call them, beside their names."""

UNBOUNDED = 1_000_000
"""The columns of a file or a pipe: what is cut there is lost to whoever reads it."""


def make_console(*, stderr: bool = False) -> Console:
    """A console that obeys ``NO_COLOR``, and does not guess at links, numbers or markup.

    What the terminal's encoding does not have is a question mark there. Where there is no terminal,
    a line is as long as ``COLUMNS`` says, else as it has to be.
    """
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    width = None if stream.isatty() or "COLUMNS" in os.environ else UNBOUNDED
    return Console(
        stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True, width=width
    )


class Refusal(click.ClickException):
    """Ends a command with status 2, and says why."""

    exit_code = 2

    def show(self, file: object = None) -> None:  # noqa: ARG002 - click's signature
        complain(make_console(stderr=True), self.message)


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


def moment(seconds: float) -> str:
    """Seconds since 1970 UTC as a date and time here: ``2026-07-01 04:30:00``."""
    try:
        return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):  # a clock far off, on this machine or another
        return f"{seconds:g} s"


def ago(seconds: float) -> str:
    """A time before now: ``just now``, ``40 s ago``, ``3 min ago``, ``5 h ago``, ``2 days ago``."""
    for unit, name, least in ((86_400, "days", 2), (3_600, "h", 2), (60, "min", 2), (1, "s", 1)):
        if seconds >= unit * least:
            return f"{seconds // unit:,.0f} {name} ago"
    return "just now"


def count(number: int, noun: str) -> str:
    """``3 recordings``, ``1 recording``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
