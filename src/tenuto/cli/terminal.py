"""How text gets to the terminal: plain where it should be, and never able to do harm there."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tenuto.audio.names import path_from_text

__all__ = ["fit", "make_console", "plain", "show_path", "styled"]


def make_console(*, stderr: bool = False) -> Console:
    """A console that obeys ``NO_COLOR``, and does not guess at links, numbers or markup."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


def plain(text: str) -> str:
    """``text`` on one line, with everything that could steer a terminal made visible.

    Control characters, escape sequences, bidirectional overrides and lone surrogates become
    backslash escapes.
    """
    return "".join(
        char if char.isprintable() else " " if char in "\n\t" else ascii(char)[1:-1]
        for char in text
    )


def styled(text: str, style: str) -> Text:
    """``plain(text)`` in a style. Square brackets in it are just that."""
    return Text(plain(text), style=style)


def fit(text: str, width: int) -> str:
    """``plain(text)`` cut to ``width`` characters, with an ellipsis where something is missing."""
    text = plain(text)
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def show_path(text: str, width: int | None = None) -> str:
    """The path written as ``text``, from here if it is below here; its end is what matters."""
    path = path_from_text(text)
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    name = plain(os.fsencode(shown).decode("utf-8", "backslashreplace"))
    if width is None or len(name) <= width:
        return name
    return "…" + name[len(name) - width + 1 :]
