"""``tenuto metrics``."""

from __future__ import annotations

import threading

import click

from tenuto.errors import ConfigurationError
from tenuto.reporting.metrics import exposition, serve

from .opening import journal_option, open_to_read
from .terminal import Refusal

__all__ = ["command"]


@click.command("metrics")
@journal_option
@click.option(
    "--serve", "port", type=click.IntRange(0, 65535), metavar="PORT", help="Answer scrapes there."
)
def command(*, journal: str | None, port: int | None) -> None:
    """Print what the journal counts, in Prometheus's text format.

    Into a file, that serves the textfile collector of node_exporter. With --serve, answer scrapes
    on this machine's loopback address until interrupted.
    """
    with open_to_read(journal) as kept:
        try:
            if port is None:
                click.echo(exposition(kept), nl=False)
                return
            port, server = serve(kept, port)
        except ConfigurationError as error:
            raise Refusal(str(error)) from error
        except OSError as error:
            why = error.strerror or error
            raise Refusal(f"port {port}: {why}; give another, or 0 for any free one") from error
        click.echo(f"http://127.0.0.1:{port}/metrics, until Ctrl-C", err=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            server.shutdown()
