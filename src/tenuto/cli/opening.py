"""The journal that a command is to look at: never one that a mistyped name has just made."""

from __future__ import annotations

import os

import click

from tenuto.journal import Journal, Moved, open_journal
from tenuto.journal.location import journal_folder

from .terminal import Refusal, show_path
from .values import NAME

__all__ = ["hindrance", "journal_option", "open_to_read", "open_to_write"]

_PARTS = ("journal.db", "spools")

journal_option = click.option(
    "--journal",
    type=NAME,
    metavar="PATH",
    help="The folder of the journal. By default that in TENUTO_JOURNAL, else one of your own.",
)


def open_to_read(path: str | None) -> Journal:
    """The journal at ``path``; None: the one by default, which need not be there yet.

    Raises Refusal for what is no journal, or cannot be read: "no errors" would be untrue.
    """
    folder = journal_folder(path)
    name = show_path(str(folder))
    if os.path.lexists(folder) and not folder.is_dir():
        raise Refusal(f"{name} is no folder: name that of a journal, by {_way(path)}")
    parts = [folder / part for part in _PARTS if os.path.lexists(folder / part)]
    if path is not None and not parts:
        raise Refusal(f"no journal is in {name}: name a folder with a journal.db in it")
    journal = open_journal(path)
    readable = parts and all(os.access(part, os.R_OK) for part in parts)
    if not readable and (why := hindrance(journal)):
        raise Refusal(f"the journal {name} cannot be read: {why}; name another by {_way(path)}")
    return journal


def open_to_write(path: str) -> Journal:
    """The journal at ``path``, new or not. Raises Refusal where it cannot be written."""
    journal = open_journal(path)
    if why := hindrance(journal):
        raise Refusal(f"the journal {show_path(str(journal.path))} cannot be written: {why}")
    return journal


def hindrance(journal: Journal) -> str | None:
    """Why nothing can be written to ``journal`` now, in a few words; None: it can be."""
    if journal.move() is not Moved.FAILED:
        return None
    *_, latest = journal.losses
    return latest.partition(": ")[2] or latest


def _way(path: str | None) -> str:
    return "TENUTO_JOURNAL or --journal" if path is None else "--journal"
