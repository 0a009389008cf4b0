"""Errors to Sentry, or whatever speaks its protocol, from the journal and from nowhere else.

What could not be delivered is still in the journal: a server that is down, slow, or over its quota
is told later. Of the repeats of a fault it hears in one event with their count.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import ConfigurationError, ExternalServiceError, TenutoError
from tenuto.journal import Reader, Record

from .sentry_event import breadcrumb_of, event_of, repeats_of

if TYPE_CHECKING:
    from sentry_sdk.utils import Auth

__all__ = ["SentryReader"]

_TIMEOUT = 2.0  # seconds for one request: others wait for the same thread
_BREADCRUMBS = 50
_DEFAULT_PAUSE = 60.0  # seconds: what Sentry's own clients wait where a 429 says no number
_CATEGORIES = {"", "error", "default"}


class SentryReader:
    """A subscriber that sends errors to the project ``dsn``; by default that in ``SENTRY_DSN``.

    Every process of a machine may have one: one at a time sends, and each error is sent once. Its
    id is made from the journal's, so that a server that hears of it twice keeps it once.

    Raises ConfigurationError without the extra, or where the DSN is none.
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        release: str | None = None,
        environment: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._auth = _auth(dsn or os.environ.get("SENTRY_DSN", ""))
        self._about = {
            "release": release or os.environ.get("SENTRY_RELEASE"),
            "environment": environment or os.environ.get("SENTRY_ENVIRONMENT") or "production",
        }
        self._clock = clock
        self._breadcrumbs: list[dict[str, Any]] = []
        project = f"{self._auth.host}/{self._auth.project_id}"
        self.reader = Reader(f"sentry {project}", settled=True)

    def receive(self, record: Record) -> None:
        """Send one record; an answer is awaited, so that it is known to have arrived.

        Raises ExternalServiceError where the server cannot take it now.
        """
        if record.kind == "transition":
            self._breadcrumbs.append(breadcrumb_of(record.body))
            del self._breadcrumbs[:-_BREADCRUMBS]
            return
        if record.kind == "slice":
            if record.untold <= 0:
                return
            event = repeats_of(record.body, record.untold)
            told_before = record.body["count"] - record.untold
            event["event_id"] = _id(f"{record.body['event_id']}+{told_before}")
        else:
            event = event_of(record.body)
            event["event_id"] = _id(record.body["id"])
        event["breadcrumbs"] = {"values": list(self._breadcrumbs)}
        event.update({name: value for name, value in self._about.items() if value})
        self._send(event)

    def _send(self, event: dict[str, Any]) -> None:
        import urllib3
        from sentry_sdk.envelope import Envelope

        envelope = Envelope(headers={"event_id": event["event_id"]})
        envelope.add_event(event)  # type: ignore[arg-type]  # a TypedDict of more than we send
        try:
            answer = urllib3.request(
                "POST",
                self._auth.get_api_url(),
                body=envelope.serialize(),
                headers={
                    "Content-Type": "application/x-sentry-envelope",
                    "X-Sentry-Auth": str(self._auth.to_header()),
                },
                timeout=_TIMEOUT,
                retries=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise ExternalServiceError(
                "Sentry", message=f"Sentry did not answer: {type(error).__name__}"
            ) from error
        self._heed(answer.status, answer.headers)

    def _heed(self, status: int, headers: Mapping[str, str]) -> None:
        """Raise, where the answer says that the event has not been taken."""
        if 200 <= status < 300:
            return
        if status == 429:
            raise ExternalServiceError("Sentry", self._pause(headers), message="over the quota")
        if status >= 500 or status == 408:
            raise ExternalServiceError("Sentry", message=f"Sentry answered {status}")
        if status in (401, 403, 404):
            # The DSN may be put right: what it is wrong for is kept until then.
            raise ExternalServiceError("Sentry", message=f"Sentry does not know the DSN: {status}")
        raise TenutoError(f"Sentry refused the event: {status}")

    def _pause(self, headers: Mapping[str, str]) -> float:
        """Seconds to keep away, by ``X-Sentry-Rate-Limits``, else ``Retry-After``."""
        limits = _seconds_for_errors(headers.get("X-Sentry-Rate-Limits", ""))
        if limits is not None:
            return limits
        hint = headers.get("Retry-After", "")
        try:
            return max(0.0, float(hint))
        except ValueError:
            pass
        try:
            return max(0.0, parsedate_to_datetime(hint).timestamp() - self._clock.now())
        except (TypeError, ValueError):
            return _DEFAULT_PAUSE


def _auth(dsn: str) -> Auth:
    try:
        from sentry_sdk.utils import BadDsn, Dsn
    except ImportError as missing:
        raise ConfigurationError(
            "sentry", "install sentry-sdk: pip install 'tenuto[sentry]'"
        ) from missing
    try:
        return Dsn(dsn).to_auth("tenuto")
    except BadDsn as error:
        raise ConfigurationError(
            "dsn", f"give a DSN such as https://key@host/1, or set SENTRY_DSN ({error})"
        ) from None


def _id(text: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_OID, text).hex


def _seconds_for_errors(limits: str) -> float | None:
    """The longest limit that holds for errors, of ``seconds:categories:scope:reason, …``."""
    found = []
    for limit in limits.split(","):
        seconds, _, rest = limit.strip().partition(":")
        categories = rest.partition(":")[0].split(";")
        if _CATEGORIES.intersection(categories) and seconds.replace(".", "", 1).isdigit():
            found.append(float(seconds))
    return max(found, default=None)
