"""Whom ``tenuto forward`` tells."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tenuto.errors import ConfigurationError
from tenuto.journal import Journal
from tenuto.reporting.bus import RedisBus
from tenuto.reporting.delivery import Gatherer, Subscriber
from tenuto.reporting.notify import NotifyReader
from tenuto.reporting.otel import otlp_readers
from tenuto.reporting.sentry import SentryReader

__all__ = ["readers_for"]


def readers_for(
    journal: Journal,
    *,
    dsn: str | None,
    redis: str | None,
    otlp: str | None,
    notify: str | None,
    release: str | None,
    environment: str | None,
    follow: bool,
) -> Sequence[Subscriber | Gatherer]:
    """The readers that tell the one destination that is given, else that in SENTRY_DSN.

    Raises ConfigurationError where several are, where it makes no sense, or without its extra.
    """
    options = {"--sentry": dsn, "--redis": redis, "--otlp": otlp, "--notify": notify}
    given = [option for option, value in options.items() if value is not None]
    if len(given) > 1:
        raise ConfigurationError("destination", f"give one of {' and '.join(given)}, not all")
    if not given and not os.environ.get("SENTRY_DSN"):
        *others, last = options
        told = f"name one by {', '.join(others)} or {last}, or set SENTRY_DSN"
        raise ConfigurationError("the destination", told)
    if redis is not None:
        return [RedisBus(redis, journal)]
    if otlp is not None:
        return otlp_readers(otlp, journal)
    if notify is not None:
        # Who does not go on looking cannot wait for the end of a window either.
        return [
            NotifyReader(notify, journal) if follow else NotifyReader(notify, journal, window=0)
        ]
    return [SentryReader(dsn, release=release, environment=environment)]
