"""``tenuto journal``."""

from __future__ import annotations

import json
import re
import sqlite3
import sys

import click

from tenuto.journal import Journal, Retention, open_journal

from .terminal import complain, count, make_console, plain, show_path

__all__ = ["command"]

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_DAY = 86_400.0


class _Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: object, param: object, ctx: object) -> int:  # noqa: ARG002 - click's signature
        parts = re.fullmatch(r"(\d+)\s*([kmgt]?)(i?b)?", str(value).strip().lower())
        if parts is None or int(parts[1]) == 0:
            self.fail(f"{value!r} is no size: write 500M or 2G")
        return int(parts[1]) * _UNITS[parts[2]]


def _open(context: click.Context, _option: click.Parameter, path: str | None) -> Journal:
    return context.with_resource(open_journal(path))


_journal_option = click.option(
    "--journal",
    metavar="PATH",
    callback=_open,
    help="The folder of the journal. By default that in TENUTO_JOURNAL, else one of your own.",
)


@click.group("journal")
def command() -> None:
    """Look after the journal: check it, let it go of what is old, or hand it to other programs."""


@command.command("check")
@_journal_option
def check(*, journal: Journal) -> None:
    """Look for damage, and for what could not be kept. Status 1: something was found."""
    out = make_console()
    found = [plain(each) for each in journal.check()]
    lost = {**journal.drops(), **journal.losses}
    errors = sum(group.count for group in journal.groups())
    out.print(f"{show_path(str(journal.path))}: {count(errors, 'error')}")
    for line in found:
        out.print(f"damaged: {line}")
    for reason, times in lost.items():
        out.print(f"{count(times, 'record')} not kept: {plain(reason)}")
    if not found and not lost:
        out.print("whole, and nothing was lost")
    sys.exit(1 if found or lost else 0)


@command.command("prune")
@click.option("--max-age", type=click.FloatRange(min=0, min_open=True), help="In days; default 90.")
@click.option("--max-size", type=_Size(), metavar="SIZE", help="Such as 500M or 2G; default 1G.")
@_journal_option
def prune(*, journal: Journal, max_age: float | None, max_size: int | None) -> None:
    """Let go of the old, and past a size of all but the newest of each group.

    The first, the last and the rare errors stay longest; the counts stay with their group. It is
    done by itself once an hour, with the defaults. Status 1: another process is at it.
    """
    settings = {"max_age": max_age and max_age * _DAY, "max_bytes": max_size}
    kept = Retention(**{name: value for name, value in settings.items() if value})  # type: ignore[arg-type]  # of each its own
    try:
        pruned = journal.prune(kept)
    except (OSError, sqlite3.Error) as error:
        complain(make_console(stderr=True), f"the journal cannot be written: {error}")
        sys.exit(2)
    if pruned is None:
        complain(make_console(stderr=True), "another process is at it")
        sys.exit(1)
    megabytes = pruned.bytes / (1 << 20)
    make_console().print(f"{count(pruned.rows, 'record')} gone, {megabytes:,.1f} MB in use")


@command.command("export")
@_journal_option
def export(*, journal: Journal) -> None:
    """Print every record as a line of JSON, with its kind under "record"."""
    try:
        for kind, body in journal.everything():
            click.echo(json.dumps({"record": kind, **body}))
    except BrokenPipeError:
        sys.stderr.close()  # `| head` is no error, and Python would complain at exit
