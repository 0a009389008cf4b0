"""``tenuto readers``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict

import click
from rich.console import Console
from rich.text import Text

from tenuto.journal import Journal, Standing

from .opening import journal_option, open_to_read
from .terminal import Refusal, count, fit, make_console, moment, plain, show_path

__all__ = ["command"]

_STYLES = {"up to date": "green", "behind": "yellow", "refused": "red", "failing": "red"}


@click.command("readers")
@journal_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--forget",
    metavar="NAME",
    help="Let go of a reader that is gone for good: nothing is kept for it any more.",
)
def command(*, journal: str | None, as_json: bool, forget: str | None) -> None:
    """Show who is told of the journal, how far behind they are, and what keeps them.

    "behind" is who has not been told yet, "failing" whom nobody reaches, and "refused" who has
    asked to be left alone for a while. Nothing is lost meanwhile.
    """
    with open_to_read(journal) as kept:
        if forget is not None:
            _forget(kept, forget)
            return
        standings = kept.standings()
        now = kept.clock.now()
        if as_json:
            told = [{**asdict(each), "state": _state(each, now)} for each in standings]
            click.echo(json.dumps(told))
            return
        out = make_console()
        if not standings:
            out.print(f"Nobody is told of {show_path(str(kept.path))} but the log.")
        for standing in standings:
            _show(standing, now, out)


def _forget(journal: Journal, name: str) -> None:
    try:
        known = journal.forget(name)
    except (OSError, sqlite3.Error) as error:
        raise Refusal(f"the journal cannot be written: {error}") from error
    if not known:
        where = show_path(str(journal.path))
        raise Refusal(f"no reader of {where} is called {name}")


def _state(standing: Standing, now: float) -> str:
    if not standing.lag:
        return "up to date"
    if standing.refused_until is not None and standing.refused_until > now:
        return "refused"
    return "behind" if standing.trouble is None else "failing"


def _show(standing: Standing, now: float, out: Console) -> None:
    state = _state(standing, now)
    # The name is never cut: --forget wants it whole.
    out.print(Text(f"{state:11}", _STYLES[state]).append(plain(standing.reader), "not bold"))
    for line in _details(standing, state):
        out.print(Text(fit(f"{'':11}{line}", out.width), style="dim"))


def _details(standing: Standing, state: str) -> Iterator[str]:
    if not standing.lag:
        return
    since = "" if standing.behind_since is None else f", since {moment(standing.behind_since)}"
    yield f"{count(standing.lag, 'record')} behind{since}; told up to {standing.position:,}"
    if state == "refused" and standing.refused_until is not None:
        yield f"wants to be left alone until {moment(standing.refused_until)}"
    if standing.trouble is not None and standing.failing_since is not None:
        yield f"not reached since {moment(standing.failing_since)}; the last error:"
        yield standing.trouble
