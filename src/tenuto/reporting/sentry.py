"""Errors to Sentry, or whatever speaks its protocol, from the journal and from nowhere else.

What could not be delivered is still in the journal: a server that is down, slow, or over its quota
is told later. Of the repeats of a fault it hears in one event with their count.
"""

from __future__ import annotations

import math
import os
import uuid
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import ConfigurationError, ExternalServiceError, TenutoError
from tenuto.journal import Reader, Record

from .retry_after import retry_after
from .sentry_event import breadcrumb_of, event_of, repeats_of

if TYPE_CHECKING:
    from sentry_sdk.utils import Auth

__all__ = ["SentryReader"]

_TIMEOUT = 2.0  # seconds for one request: others wait for the same thread
_BREADCRUMBS = 50
_PROCESSES = 64
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
        self._not_before = -math.inf
        self._trails: OrderedDict[str, deque[dict[str, Any]]] = OrderedDict()
        project = f"{self._auth.host}/{self._auth.project_id}"
        self.reader = Reader(f"sentry {project}", settled=True)

    def receive(self, record: Record) -> None:
        """Send one record; an answer is awaited, so that it is known to have arrived.

        Raises ExternalServiceError where the server cannot take it now.
        """
        trail = self._trail(record.process)
        if record.kind == "transition":
            trail.append(breadcrumb_of(record.kind, record.body))
        elif record.kind == "slice":
            self._tell_repeats(record, trail)
        else:
            self._tell(event_of(record.body), record.body["id"], trail)
            trail.append(breadcrumb_of(record.kind, record.body))

    def _trail(self, process: str) -> deque[dict[str, Any]]:
        """What has happened in a process; of the processes met last."""
        trail = self._trails.setdefault(process, deque(maxlen=_BREADCRUMBS))
        self._trails.move_to_end(process)
        if len(self._trails) > _PROCESSES:
            self._trails.popitem(last=False)
        return trail

    def _tell_repeats(self, record: Record, trail: Iterable[dict[str, Any]]) -> None:
        if record.untold > 0:
            told_before = record.body["count"] - record.untold
            identity = f"{record.body['event_id']}+{told_before}"
            self._tell(repeats_of(record.body, record.untold), identity, trail)

    def _tell(self, event: dict[str, Any], identity: str, trail: Iterable[dict[str, Any]]) -> None:
        event["event_id"] = uuid.uuid5(uuid.NAMESPACE_OID, identity).hex
        before = event.get("breadcrumbs", {"values": []})["values"]
        event["breadcrumbs"] = {"values": [*trail, *before]}
        event.update({name: value for name, value in self._about.items() if value})
        self._send(event)

    def _send(self, event: dict[str, Any]) -> None:
        left = self._not_before - self._clock.monotonic()
        if left > 0:
            raise ExternalServiceError("Sentry", left, message="over the quota")
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
                service="Sentry", message=f"Sentry did not answer: {type(error).__name__}"
            ) from error
        self._heed(answer.status, answer.headers)

    def _heed(self, status: int, headers: Mapping[str, str]) -> None:
        """Raise, where the answer says that the event has not been taken."""
        limit = _seconds_for_errors(headers.get("X-Sentry-Rate-Limits", ""))
        if 200 <= status < 300:
            if limit is not None:  # this one was taken, and the next would not be
                self._not_before = self._clock.monotonic() + limit
            return
        hint = retry_after(headers, self._clock)
        if status == 429:
            if limit is None:
                limit = _DEFAULT_PAUSE if hint is None else hint
            raise ExternalServiceError("Sentry", limit, message="over the quota")
        if status >= 500 or status == 408:
            raise ExternalServiceError("Sentry", hint, message=f"Sentry answered {status}")
        if status in (401, 403, 404):
            # The DSN may be put right: what it is wrong for is kept until then.
            raise ExternalServiceError(
                service="Sentry", message=f"Sentry does not know the DSN: {status}"
            )
        raise TenutoError(f"Sentry refused the event: {status}")


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


def _seconds_for_errors(limits: str) -> float | None:
    """The longest limit that holds for errors, of ``seconds:categories:scope:reason, …``."""
    found = []
    for limit in limits.split(","):
        seconds, _, rest = limit.strip().partition(":")
        categories = rest.partition(":")[0].split(";")
        if _CATEGORIES.intersection(categories) and seconds.replace(".", "", 1).isdigit():
            found.append(float(seconds))
    return max(found, default=None)
