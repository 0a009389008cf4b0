"""One request of OpenTelemetry's protocol over HTTP, and what its answer means.

By the OTLP specification, "OTLP/HTTP Response".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from tenuto.clock import Clock
from tenuto.errors import ConfigurationError, ExternalServiceError, TenutoError

from .retry_after import retry_after

__all__ = ["Collector", "RefusedByCollectorError", "pairs_of_environment"]

_TIMEOUT = 2.0  # seconds for one request: others wait for the same thread
_LATER = {429, 502, 503, 504}
# The address or the key may be put right: what they are wrong for is kept until then.
_MISTAKEN = {401, 403, 404}


class RefusedByCollectorError(TenutoError):
    """The collector will never take what it was sent."""


class Collector:
    """A server of OTLP over HTTP. Without an ``endpoint``, as OpenTelemetry's own variables say.

    Raises ConfigurationError without the extra, or where the endpoint is no URL.
    """

    def __init__(
        self, endpoint: str | None, headers: Mapping[str, str] | None, clock: Clock
    ) -> None:
        _require()
        endpoint = endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
        at = urlsplit(endpoint)
        if at.scheme not in ("http", "https") or not at.hostname:
            raise ConfigurationError(
                "otlp",
                "give an endpoint such as http://host:4318, or set OTEL_EXPORTER_OTLP_ENDPOINT",
            )
        self.name = f"{at.netloc.rpartition('@')[2]}{at.path}".rstrip("/")
        self._endpoint = endpoint.rstrip("/")
        if headers is None:
            headers = pairs_of_environment("OTEL_EXPORTER_OTLP_HEADERS")
        self._headers = dict(headers)
        self._clock = clock

    def send(self, path: str, body: bytes) -> bytes:
        """Post ``body``; the answer's body, once the server has taken it.

        Raises ExternalServiceError where it cannot take it now, RefusedByCollectorError where it
        never will.
        """
        import urllib3

        try:
            answer = urllib3.request(
                "POST",
                self._endpoint + path,
                body=body,
                headers={**self._headers, "Content-Type": "application/x-protobuf"},
                timeout=_TIMEOUT,
                retries=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise ExternalServiceError(
                service="OTLP", message=f"the collector did not answer: {type(error).__name__}"
            ) from error
        if 200 <= answer.status < 300:
            return answer.data
        if answer.status in _LATER:
            wait = retry_after(answer.headers, self._clock)
            raise ExternalServiceError(
                "OTLP", wait, message=f"the collector answered {answer.status}"
            )
        if answer.status in _MISTAKEN:
            raise ExternalServiceError(
                service="OTLP",
                message=f"the collector does not know the address or key: {answer.status}",
            )
        raise RefusedByCollectorError(f"the collector refused what it was sent: {answer.status}")


def pairs_of_environment(variable: str) -> dict[str, str]:
    """What an OpenTelemetry variable lists: ``name=value`` pairs, with commas between them."""
    pairs = os.environ.get(variable, "").split(",")
    return {
        unquote(name.strip()): unquote(value.strip())
        for name, equals, value in (pair.partition("=") for pair in pairs)
        if equals
    }


def _require() -> None:
    try:
        import opentelemetry.proto.logs.v1  # noqa: F401
        import urllib3  # noqa: F401
    except ImportError as missing:
        raise ConfigurationError(
            "otel", "install opentelemetry-proto: pip install 'tenuto[otel]'"
        ) from missing
