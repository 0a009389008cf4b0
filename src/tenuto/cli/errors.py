"""``tenuto errors``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
from rich.console import Console, Group as Stack
from rich.table import Table
from rich.text import Text

from tenuto.capture import ErrorEvent
from tenuto.errors import FaultClass
from tenuto.journal import Group, Journal, open_journal

from .event import show_event
from .terminal import complain, count, fit, make_console, plain

__all__ = ["command"]

_STYLES = {
    FaultClass.DATA: "yellow",
    FaultClass.QUALITY: "yellow",
    FaultClass.RESOURCE: "magenta",
    FaultClass.INFRASTRUCTURE: "magenta",
    FaultClass.CONFIGURATION: "red",
    FaultClass.BUG: "red",
    FaultClass.CANCELLED: "dim",
}

_journal = click.option(
    "--journal",
    metavar="PATH",
    help="The folder of the journal. By default that in TENUTO_JOURNAL, else one of your own.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("errors", invoke_without_command=True)
@_journal
@_json
@click.pass_context
def command(context: click.Context, *, journal: str | None, as_json: bool) -> None:
    """Show what went wrong: errors with one cause are one group.

    With --json: a list of groups, each with its count.
    """
    context.obj = (journal, as_json)
    if context.invoked_subcommand is not None:
        return
    with open_journal(journal) as kept:
        groups = kept.groups()
        if as_json:
            click.echo(json.dumps([asdict(group) for group in groups]))
        else:
            _show_groups(groups, kept, make_console())


@command.command("show")
@click.argument("which", metavar="ID")
@_journal
@_json
@click.pass_obj
def show(
    outer: tuple[str | None, bool], which: str, *, journal: str | None, as_json: bool
) -> None:
    """Tell one error in full. ID is that of an error or of a group; its beginning will do."""
    with open_journal(journal or outer[0]) as kept:
        event = _find(kept, which)
        if event is None:
            complain(make_console(stderr=True), f"no error or group {which!r} in {kept.path}")
            sys.exit(2)
        if as_json or outer[1]:
            click.echo(json.dumps(event.to_dict()))
        else:
            show_event(event, kept.attempts(_work(event)), make_console())
