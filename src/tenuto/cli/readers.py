"""``tenuto readers``."""

from __future__ import annotations

import json

import click

from tenuto.journal import open_journal

from .terminal import count, fit, make_console, show_path

__all__ = ["command"]


@click.command("readers")
@click.option(
    "--journal",
    metavar="PATH",
    help="The folder of the journal. By default that in TENUTO_JOURNAL, else one of your own.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, journal: str | None, as_json: bool) -> None:
    """Show who is told of the journal, and how many records they have not been told of."""
    with open_journal(journal) as kept:
        lags = kept.lags()
        if as_json:
            click.echo(json.dumps([{"reader": name, "lag": lag} for name, lag in lags.items()]))
            return
        out = make_console()
        if not lags:
            out.print(f"Nobody is told of {show_path(str(kept.path))} but the log.")
        for name, lag in lags.items():
            behind = f"{count(lag, 'record')} behind" if lag else "up to date"
            out.print(f"{fit(name, out.width - 24)}  {behind}")
