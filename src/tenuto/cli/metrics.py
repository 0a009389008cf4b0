"""``tenuto metrics``."""

from __future__ import annotations

import sys
import threading

import click

from tenuto.errors import ConfigurationError
from tenuto.journal import open_journal
from tenuto.reporting.metrics import exposition, serve

from .terminal import complain, make_console

__all__ = ["command"]


@click.command("metrics")
@click.option(
    "--journal",
    metavar="PATH",
    help="The folder of the journal. By default that in TENUTO_JOURNAL, else one of your own.",
)
@click.option(
    "--serve", "port", type=click.IntRange(0, 65535), metavar="PORT", help="Answer scrapes there."
)
def command(*, journal: str | None, port: int | None) -> None:
    """Print what the journal counts, in Prometheus's text format.

    Into a file, that serves the textfile collector of node_exporter. With --serve, answer scrapes
    on this machine's loopback address until interrupted.
    """
    with open_journal(journal) as kept:
        try:
            if port is None:
                click.echo(exposition(kept), nl=False)
                return
            port, server = serve(kept, port)
        except (ConfigurationError, OSError) as error:
            complain(make_console(stderr=True), str(error))
            sys.exit(2)
        click.echo(f"http://127.0.0.1:{port}/metrics, until Ctrl-C", err=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            server.shutdown()
