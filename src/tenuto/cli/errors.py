"""``tenuto errors``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click
from rich.text import Text

from tenuto.capture import ErrorEvent
from tenuto.journal import Group, Journal, Trend

from .event import show_event
from .groups import show_groups
from .opening import journal_option, open_to_read
from .surroundings import surroundings_of
from .terminal import Refusal, count, make_console, plain, show_path
from .values import DURATION, NAME

__all__ = ["command"]

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("errors", invoke_without_command=True)
@click.option(
    "--since",
    type=DURATION,
    metavar="DURATION",
    help="Only groups seen in the last 30m, 12h, 2d …; their counts are of all time.",
)
@journal_option
@_json_option
@click.pass_context
def command(
    context: click.Context, *, since: float | None, journal: str | None, as_json: bool
) -> None:
    """Show what went wrong. Errors with the same cause are one group.

    The trend compares the last hour with those before: "new" was never seen before, "back" not in
    the 23 hours before, "rising" is more than twice as frequent and no chance, "falling" less than
    half, "quiet" was not seen. A bar stands for each of the last 24 hours, on the group's own
    scale. With --json, print a list of groups, each with its count, trend and hours.
    """
    context.obj = (journal, as_json)
    if context.invoked_subcommand is not None:
        return
    with open_to_read(journal) as kept:
        now = kept.clock.now()
        groups = [g for g in kept.groups() if since is None or g.last >= now - since]
        trends = kept.trends()
        groups = [g for g in groups if g.fingerprint in trends]  # the others have just been let go
        if as_json:
            click.echo(json.dumps([_as_dict(g, trends) for g in groups]))
            return
        out = make_console()
        if groups:
            show_groups(groups, trends, now, out)
        else:
            lately = "" if since is None else " in that time"
            out.print(f"No errors{lately} in {show_path(str(kept.path))}.")
        lost = sum(kept.drops().values())
        if lost:
            out.print(Text(f"{count(lost, 'record')} could not be kept.", style="red"))


@command.command("show")
@click.argument("which", metavar="ID", type=NAME)
@journal_option
@_json_option
@click.pass_obj
def show(outer: tuple[str | None, bool], which: str, *, journal: str | None, as_json: bool) -> None:
    """Tell one error in full. ID is that of an error, or of a group: then its latest one.

    Its beginning will do, of a group's also without the version. What became of the error's input
    is told too, and what policies did around it.
    """
    with open_to_read(journal or outer[0]) as kept:
        event = _find(kept, plain(which))
        asked = which if which.startswith(event.id) else event.id
        around = surroundings_of(event, asked, kept)
        if as_json or outer[1]:
            click.echo(json.dumps({**event.to_dict(), **around.to_dict()}))
        else:
            show_event(event, around, make_console())


def _find(journal: Journal, which: str) -> ErrorEvent:
    if (event := journal.event(which)) is not None:
        return event
    from tenuto.batch.replay import is_of_group  # all of batch comes with it: not for --help

    groups = [group for group in journal.groups() if is_of_group(group.fingerprint, which)]
    errors, first = journal.ids_from(which)
    if len(groups) + errors > 1:
        told = [count(len(groups), "group")] if groups else []
        told += [count(errors, "error")] if errors else []
        raise Refusal(f"{' and '.join(told)} begin with {which!r}; give more of it")
    event = journal.event(groups[0].latest if groups else first)
    if event is None:
        raise Refusal(f"no error and no group {which} in {show_path(str(journal.path))}")
    return event


def _as_dict(group: Group, trends: Mapping[str, Trend]) -> dict[str, Any]:
    trend = trends[group.fingerprint]
    return {**asdict(group), "trend": trend.direction.value, "hours": list(trend.hours)}
