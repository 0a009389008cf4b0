"""Errors as OpenTelemetry's log records, and counts as its sums, from the journal.

Each is a reader with a place of its own, which goes on when a collector has taken what it was sent.
Nothing is queued here: what a collector that is down was not told of is still in the journal.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tenuto.journal import Journal, Reader, Record

from .otlp import Collector, RefusedByCollectorError, pairs_of_environment

if TYPE_CHECKING:
    from .delivery import Gatherer

__all__ = ["OtlpLogs", "OtlpMetrics", "otlp_readers"]

_COUNTED = {"event", "slice", "tally"}
_MOST_REJECTED = 10_000  # at once: an answer is not to be trusted with more


def otlp_readers(
    endpoint: str | None, journal: Journal, *, headers: Mapping[str, str] | None = None
) -> list[Gatherer]:
    """Readers that send all there is to the collector at ``endpoint``, such as ``http://host:4318``.

    ``endpoint`` and ``headers`` are by default OTEL_EXPORTER_OTLP_ENDPOINT and _HEADERS. Raises
    ConfigurationError without the extra, or where the endpoint is no URL.
    """
    return [
        OtlpLogs(endpoint, journal, headers=headers),
        OtlpMetrics(endpoint, journal, headers=headers),
    ]


class OtlpLogs:
    """A subscriber that sends errors, repeats and changes of circuits to ``/v1/logs``.

    Of the repeats of an error it tells in one record, whose ``tenuto.count`` is their number.
    Raises ConfigurationError as ``otlp_readers`` does.
    """

    at_once = 100

    def __init__(
        self,
        endpoint: str | None,
        journal: Journal,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._collector = Collector(endpoint, headers, journal.clock)
        self._journal = journal
        self._about = _about()
        self.reader = Reader(f"otlp {self._collector.name} logs", settled=True)

    def receive_all(self, records: Sequence[Record]) -> int:
        """Send ``records``, or as many as the collector takes at once.

        Raises ExternalServiceError where it cannot take them now, RefusedByCollectorError where it
        will never take the first.
        """
        while True:
            try:
                self._send(records)
            except RefusedByCollectorError:
                if len(records) == 1:
                    raise
                records = records[: len(records) // 2]  # too many, or one of them is bad
            else:
                return len(records)

    def _send(self, records: Sequence[Record]) -> None:
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

        from .otel_records import logs_request

        request = logs_request(records, self._about, self._journal.clock.now())
        if not request.resource_logs:
            return
        answer = self._collector.send("/v1/logs", request.SerializeToString())
        partial = _read(ExportLogsServiceResponse(), answer)
        _count_rejected(self._journal, self.reader, partial.rejected_log_records)


class OtlpMetrics:
    """A subscriber that sends what the journal counts to ``/v1/metrics``, whenever it has grown.

    Raises ConfigurationError as ``otlp_readers`` does.
    """

    at_once = 1000

    def __init__(
        self,
        endpoint: str | None,
        journal: Journal,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._collector = Collector(endpoint, headers, journal.clock)
        self._journal = journal
        self.reader = Reader(f"otlp {self._collector.name} metrics", everything=True)

    def receive_all(self, records: Sequence[Record]) -> int:
        """Send the counts as they stand, if ``records`` are of what is counted.

        Raises ExternalServiceError where the collector cannot take them now,
        RefusedByCollectorError where it never will.
        """
        if _COUNTED.isdisjoint(record.kind for record in records):
            return len(records)
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
            ExportMetricsServiceResponse,
        )

        from .otel_sums import metrics_request

        # The counts are those of the journal, whoever sends them.
        about = {**_about(), "service.instance.id": self._journal.identity()}
        request = metrics_request(self._journal, about, self._journal.clock.now())
        answer = self._collector.send("/v1/metrics", request.SerializeToString())
        partial = _read(ExportMetricsServiceResponse(), answer)
        _count_rejected(self._journal, self.reader, partial.rejected_data_points)
        return len(records)


def _about() -> dict[str, Any]:
    about = {"service.name": "tenuto", "host.name": socket.gethostname()}
    about |= pairs_of_environment("OTEL_RESOURCE_ATTRIBUTES")
    if service := os.environ.get("OTEL_SERVICE_NAME"):
        about["service.name"] = service
    return about


def _read(response: Any, answer: bytes) -> Any:
    """What the collector says of what it has taken; one that talks nonsense has taken it all."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        response.ParseFromString(answer)
    except DecodeError:
        response.Clear()
    return response.partial_success


def _count_rejected(journal: Journal, reader: Reader, rejected: int) -> None:
    """Remember what the collector has dropped of what it took: it is not to be sent again."""
    if rejected > 0:
        journal.count_loss(f"{reader.name}: rejected", min(rejected, _MOST_REJECTED))
