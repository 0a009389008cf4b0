"""A server of OTLP over HTTP: it keeps what it is sent, and answers as it is told to."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)


class OtlpCollector:
    """Begins with ``start``; until then, nobody listens at its ``port``."""

    def __init__(self):
        self.logs = []
        self.metrics = []
        self.headers = []
        self.answers = []  # (status, headers) of the next requests; then it takes what comes
        self.rejected = 0  # log records that it says it has dropped
        self.never = None  # a text: a request that has it is bad
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), _handler(self), bind_and_activate=False
        )
        self._server.server_bind()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = None

    def start(self):
        self._server.server_activate()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self):
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def take(self, path, body):
        """Status and body of the answer."""
        if path == "/v1/metrics":
            self.metrics.append(ExportMetricsServiceRequest.FromString(body))
            return 200, b""
        if path != "/v1/logs":
            return 404, b""
        if self.never is not None and self.never.encode() in body:
            return 400, b""
        self.logs.append(ExportLogsServiceRequest.FromString(body))
        response = ExportLogsServiceResponse()
        response.partial_success.rejected_log_records = self.rejected
        return 200, response.SerializeToString()

    def records(self):
        """Each log record, with what is known of its resource, as plain values."""
        return [
            {
                "body": record.body.string_value,
                "severity": record.severity_number,
                "time": record.time_unix_nano,
                "trace_id": record.trace_id.hex(),
                "span_id": record.span_id.hex(),
                "event_name": record.event_name,
                **plain(part.resource.attributes),
                **plain(record.attributes),
            }
            for request in self.logs
            for part in request.resource_logs
            for scoped in part.scope_logs
            for record in scoped.log_records
        ]

    def points(self, number=-1):
        """The counts of one of the requests: by metric and attributes."""
        return {
            (metric.name, *(value for _, value in sorted(plain(point.attributes).items()))): (
                point.as_int
            )
            for metric in self.sums(number)
            for point in metric.sum.data_points
        }

    def sums(self, number=-1):
        (part,) = self.metrics[number].resource_metrics
        return part.scope_metrics[0].metrics


def plain(attributes):
    return {each.key: value(each.value) for each in attributes}


def value(any_value):
    kind = any_value.WhichOneof("value")
    if kind == "kvlist_value":
        return plain(any_value.kvlist_value.values)
    if kind == "array_value":
        return [value(each) for each in any_value.array_value.values]
    return None if kind is None else getattr(any_value, kind)


def _handler(collector):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.headers.append(dict(self.headers))
            status, headers = collector.answers.pop(0) if collector.answers else (None, {})
            content = b""
            if status is None:
                status, content = collector.take(self.path, body)
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    return Handler
