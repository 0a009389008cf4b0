"""``tenuto errors``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click
from rich.text import Text

from tenuto.capture import ErrorEvent
from tenuto.configuration.values import seconds
from tenuto.journal import Group, Journal, Trend, open_journal

from .event import show_event
from .groups import show_groups
from .surroundings import surroundings_of
from .terminal import complain, count, make_console, show_path

__all__ = ["command"]

_journal_option = click.option(
    "--journal",
    metavar="PATH",
    help="The folder of the journal. By default that in TENUTO_JOURNAL, else one of your own.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(self, value: object, param: object, ctx: object) -> float:  # noqa: ARG002 - click's signature
        try:
            return seconds(value)
        except ValueError:
            self.fail(f"{value!r} is no duration: write 30m, 12h or 2d")


@click.group("errors", invoke_without_command=True)
@click.option(
    "--since",
    type=_Duration(),
    metavar="DURATION",
    help="Only groups seen in the last 30m, 12h, 2d …; their counts are of all time.",
)
@_journal_option
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
    with open_journal(journal) as kept:
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
@click.argument("which", metavar="ID")
@_journal_option
@_json_option
@click.pass_obj
def show(outer: tuple[str | None, bool], which: str, *, journal: str | None, as_json: bool) -> None:
    """Tell one error in full. ID is that of an error, or of a group: then its latest one.

    With what became of its input, and what policies did around it.
    """
    with open_journal(journal or outer[0]) as kept:
        event = _find(kept, which)
        if event is None:
            where = show_path(str(kept.path))
            complain(make_console(stderr=True), f"no error and no group {which} in {where}")
            sys.exit(2)
        asked = which if which.startswith(event.id) else event.id
        around = surroundings_of(event, asked, kept)
        if as_json or outer[1]:
            click.echo(json.dumps({**event.to_dict(), **around.to_dict()}))
        else:
            show_event(event, around, make_console())


def _find(journal: Journal, which: str) -> ErrorEvent | None:
    event = journal.event(which)
    if event is not None:
        return event
    groups = [group for group in journal.groups() if group.fingerprint.startswith(which)]
    return journal.event(groups[0].latest) if len(groups) == 1 else None


def _as_dict(group: Group, trends: Mapping[str, Trend]) -> dict[str, Any]:
    trend = trends[group.fingerprint]
    return {**asdict(group), "trend": trend.direction.value, "hours": list(trend.hours)}
