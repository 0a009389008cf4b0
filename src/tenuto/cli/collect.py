"""``tenuto collect``."""

from __future__ import annotations

import sqlite3
import sys

import click

from tenuto.clock import SYSTEM_CLOCK
from tenuto.errors import ConfigurationError, FaultClass, classify
from tenuto.reporting.bus import Collector

from .opening import open_to_write
from .terminal import Refusal, complain, count, make_console
from .values import NAME

__all__ = ["command"]

_LOOK = 1.0  # seconds to wait for something new
_PAUSE = 2.0  # seconds before another try


@click.command("collect")
@click.argument("url")
@click.option(
    "--journal",
    type=NAME,
    metavar="PATH",
    required=True,
    help="The folder of the central journal.",
)
@click.option("--once", is_flag=True, help="Take in what is there, and end.")
def command(url: str, *, journal: str, once: bool) -> None:
    """Take what `tenuto forward --redis URL` has sent into a central journal, until interrupted.

    It may be stopped and started at any time, and several may run: each record is there once.
    """
    out, err = make_console(), make_console(stderr=True)
    with open_to_write(journal) as kept:
        try:
            collector = Collector(url, kept)
        except ConfigurationError as error:
            raise Refusal(str(error)) from error
        new = 0
        try:
            while True:
                try:
                    new += collector.collect(wait=0.0 if once else _LOOK)
                except (sqlite3.Error, OSError) as error:
                    trouble: Exception = error
                except Exception as error:  # redis is an extra: its errors are told by their class
                    if classify(error) in (FaultClass.BUG, FaultClass.CONFIGURATION):
                        raise
                    trouble = error
                else:
                    if once:
                        break
                    continue
                complain(err, f"{type(trouble).__name__}: {trouble}")
                if once:
                    sys.exit(1)
                SYSTEM_CLOCK.sleep(_PAUSE)
        except KeyboardInterrupt:
            pass
        out.print(f"{count(new, 'record')} taken in.")
