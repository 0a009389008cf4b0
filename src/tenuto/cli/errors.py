"""``tenuto errors``."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import click
from rich.console import Console
from rich.text import Text

from tenuto.capture import ErrorEvent
from tenuto.journal import Group, Journal, open_journal

from .event import FAULT_STYLES, show_event
from .terminal import complain, count, fit, make_console, show_path

__all__ = ["command"]

_SHORTEST_ID = 11
"""With the version that a fingerprint begins with."""

_journal_option = click.option(
    "--journal",
    metavar="PATH",
    help="The folder of the journal. By default that in TENUTO_JOURNAL, else one of your own.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("errors", invoke_without_command=True)
@_journal_option
@_json_option
@click.pass_context
def command(context: click.Context, *, journal: str | None, as_json: bool) -> None:
    """Show what went wrong. Errors with the same cause are one group.

    With --json, print a list of groups, each with its count.
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
@_journal_option
@_json_option
@click.pass_obj
def show(outer: tuple[str | None, bool], which: str, *, journal: str | None, as_json: bool) -> None:
    """Tell one error in full. ID is that of an error, or of a group: then its latest one."""
    with open_journal(journal or outer[0]) as kept:
        event = _find(kept, which)
        if event is None:
            where = show_path(str(kept.path))
            complain(make_console(stderr=True), f"no error and no group {which} in {where}")
            sys.exit(2)
        if as_json or outer[1]:
            click.echo(json.dumps(event.to_dict()))
        else:
            show_event(event, kept.repeats(event.id), make_console())


def _find(journal: Journal, which: str) -> ErrorEvent | None:
    event = journal.event(which)
    if event is not None:
        return event
    groups = [group for group in journal.groups() if group.fingerprint.startswith(which)]
    return journal.event(groups[0].latest) if len(groups) == 1 else None


def _show_groups(groups: Sequence[Group], journal: Journal, out: Console) -> None:
    where = show_path(str(journal.path))
    if not groups:
        out.print(f"No errors in {where}.")
    widest = max((len(f"{group.count:,}") for group in groups), default=0)
    length = _id_length(groups)
    for group in groups:
        indent = " " * (widest + 4)
        line = Text(f"{group.count:>{widest + 1},} × ", style="bold")  # noqa: RUF001
        line.append(f"{group.fault_class.value:15}", FAULT_STYLES[group.fault_class])
        name = group.type.rpartition(".")[2]
        line.append(fit(f"{name}: {group.message}", out.width - len(indent) - 15), "not bold")
        out.print(line)
        when = datetime.fromtimestamp(group.last).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        rest = f"{group.fingerprint[:length]}  {when}  {group.where}"
        out.print(Text(indent + fit(rest, out.width - len(indent)), style="dim"))
    if groups:
        total = sum(group.count for group in groups)
        ways = count(len(groups), "group")
        out.print(f"\n{count(total, 'error')} in {ways}. One in full: tenuto errors show ID")
    lost = sum(journal.drops().values())
    if lost:
        out.print(Text(f"{count(lost, 'record')} could not be kept.", style="red"))


def _id_length(groups: Sequence[Group]) -> int:
    """How much of a fingerprint tells it from the others."""
    prints = {group.fingerprint for group in groups}
    lengths = itertools.count(_SHORTEST_ID)
    return next(n for n in lengths if len({each[:n] for each in prints}) == len(prints))
