"""``tenuto journal``."""

from __future__ import annotations

import json
import sqlite3
import sys

import click

from tenuto.errors import ConfigurationError
from tenuto.journal import Retention

from .opening import journal_option, open_to_read
from .terminal import Refusal, complain, count, make_console, plain, show_path
from .values import DURATION, SIZE

__all__ = ["command"]


@click.group("journal")
def command() -> None:
    """Look after the journal: check it, let it go of what is old, or hand it to other programs."""


@command.command("check", short_help="Look for damage, and for what could not be kept.")
@journal_option
def check(*, journal: str | None) -> None:
    """Look for damage, and for what could not be kept. Status 1: something was found."""
    out = make_console()
    with open_to_read(journal) as kept:
        found = [plain(each) for each in kept.check()]
        lost = {**kept.drops(), **kept.losses}
        errors = sum(group.count for group in kept.groups())
        out.print(f"{show_path(str(kept.path))}: {count(errors, 'error')}")
    for line in found:
        out.print(f"damaged: {line}")
    for reason, times in lost.items():
        out.print(f"{count(times, 'record')} not kept: {plain(reason)}")
    if not found and not lost:
        out.print("whole, and nothing was lost")
    sys.exit(1 if found or lost else 0)


@command.command("prune", short_help="Let go of what is old, and of what is too much.")
@click.option("--max-age", type=DURATION, metavar="AGE", help="Such as 12h or 30d; default 90d.")
@click.option(
    "--max-size", type=SIZE, metavar="SIZE", help="Such as 500M, 2GB or 1.5GiB; default 1GiB."
)
@journal_option
def prune(*, journal: str | None, max_age: float | None, max_size: int | None) -> None:
    """Let go of the old, and past a size of all but the newest of each group.

    The first, the last and the rare errors stay longest; the counts stay with their group. It is
    done by itself once an hour, with the defaults. K, M and G are powers of 1000, KiB, MiB and GiB
    of 1024. Status 1: another process is at it.
    """
    usual = Retention()
    try:
        retention = Retention(
            usual.max_age if max_age is None else max_age,
            usual.max_bytes if max_size is None else max_size,
        )
    except ConfigurationError as error:
        raise Refusal(str(error)) from error
    with open_to_read(journal) as kept:
        try:
            pruned = kept.prune(retention)
        except (OSError, sqlite3.Error) as error:
            raise Refusal(f"the journal cannot be written: {error}") from error
    if pruned is None:
        complain(make_console(stderr=True), "another process is at it")
        sys.exit(1)
    megabytes = pruned.bytes / 1e6
    make_console().print(f"{count(pruned.rows, 'record')} gone, {megabytes:,.1f} MB in use")


@command.command("export", short_help="Print every record as a line of JSON.")
@journal_option
def export(*, journal: str | None) -> None:
    """Print every record as a line of JSON, with its kind under "record"."""
    with open_to_read(journal) as kept:
        try:
            for kind, body in kept.everything():
                click.echo(json.dumps({"record": kind, **body}))
        except BrokenPipeError:
            sys.stderr.close()  # `| head` is no error, and Python would complain at exit
