"""``tenuto forward``."""

from __future__ import annotations

import sys

import click

from tenuto.clock import SYSTEM_CLOCK
from tenuto.errors import ConfigurationError
from tenuto.reporting.delivery import delivery

from .destination import readers_for
from .opening import journal_option, open_to_read
from .terminal import Refusal, complain, count, make_console

__all__ = ["command"]

_PAUSE = 1.0  # seconds between two looks


@click.command("forward")
@click.option(
    "--sentry", "dsn", metavar="DSN", help="The project to tell; by default that in SENTRY_DSN."
)
@click.option(
    "--redis",
    metavar="URL",
    help="Instead, send everything to the stream there, for `tenuto collect`.",
)
@click.option(
    "--otlp",
    metavar="URL",
    help="Instead, send logs and counts to the OpenTelemetry collector there.",
)
@click.option(
    "--notify",
    metavar="URL",
    help="Instead, send what is news to people, by mail, chat or webhook: one of Apprise's URLs.",
)
@click.option("--release", help="What the errors are of; by default SENTRY_RELEASE.")
@click.option("--environment", help="By default SENTRY_ENVIRONMENT, else production.")
@journal_option
@click.option("--follow", is_flag=True, help="Go on until interrupted.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds to keep trying without --follow.",
)
def command(
    *,
    dsn: str | None,
    redis: str | None,
    otlp: str | None,
    notify: str | None,
    release: str | None,
    environment: str | None,
    journal: str | None,
    follow: bool,
    wait: float,
) -> None:
    """Tell Sentry, or one other, of the errors in the journal that it has not been told of.

    Each error is sent once, whoever else sends. Repeats are sent when they have stopped, as one
    event with their count. Status 1: something is left, which is sent the next time.
    """
    err = make_console(stderr=True)
    until = SYSTEM_CLOCK.monotonic() + wait
    with open_to_read(journal) as kept:
        try:
            readers = readers_for(
                kept,
                dsn=dsn,
                redis=redis,
                otlp=otlp,
                notify=notify,
                release=release,
                environment=environment,
                follow=follow,
            )
        except ConfigurationError as error:
            raise Refusal(str(error)) from error
        ways = [delivery(kept, reader) for reader in readers]
        try:
            while [way for way in ways if not way.deliver()] or follow:
                if not follow and SYSTEM_CLOCK.monotonic() >= until:
                    break
                SYSTEM_CLOCK.sleep(_PAUSE)
        except KeyboardInterrupt:
            pass
        names = {reader.reader.name for reader in readers}
        standings = [standing for standing in kept.standings() if standing.reader in names]
        left = sum(standing.lag for standing in standings)
        theirs = tuple(f"{name}: " for name in names)
        lost = sum(times for why, times in kept.losses.items() if why.startswith(theirs))
    for trouble in {way.trouble: None for way in ways if way.trouble is not None}:
        complain(err, trouble)
    if left:
        err.print(f"{count(left, 'record')} left for the next time.")
    if lost:
        err.print(f"{count(lost, 'record')} passed over: the server does not take them.")
    sys.exit(1 if left or lost else 0)
