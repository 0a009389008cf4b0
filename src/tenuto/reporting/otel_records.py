"""The journal's records in the words of OpenTelemetry's protocol: logs.

By its data model for logs, and its semantic conventions for exceptions; what they have no name for
is called ``tenuto.…``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tenuto.journal import Record

from .traceback_text import traceback_text

__all__ = ["attributes", "logs_request", "nanoseconds", "resource", "scope"]

_SEVERITIES = {
    "info": SeverityNumber.SEVERITY_NUMBER_INFO,
    "warning": SeverityNumber.SEVERITY_NUMBER_WARN,
    "error": SeverityNumber.SEVERITY_NUMBER_ERROR,
    "critical": SeverityNumber.SEVERITY_NUMBER_FATAL,
}
_LARGEST = 2**63 - 1
_DEEPEST = 16


def logs_request(
    records: Sequence[Record], about: Mapping[str, Any], now: float
) -> ExportLogsServiceRequest:
    """``records`` as log records, by the service and the host they are from.

    ``about`` is what else to say of their resource, ``now`` in seconds since 1970 UTC.
    """
    by_origin: dict[tuple[str | None, str | None], list[LogRecord]] = {}
    for record in records:
        if record.untold > 0:
            origin = record.body.get("service"), record.body.get("host")
            by_origin.setdefault(origin, []).append(_KINDS[record.kind](record, now))
    return ExportLogsServiceRequest(
        resource_logs=[
            ResourceLogs(
                resource=resource({**about, **_known(service, host)}),
                scope_logs=[ScopeLogs(scope=scope(), log_records=told)],
            )
            for (service, host), told in by_origin.items()
        ]
    )


def _known(service: str | None, host: str | None) -> dict[str, Any]:
    return {k: v for k, v in (("service.name", service), ("host.name", host)) if v}


def _event(record: Record, now: float) -> LogRecord:
    body = record.body
    told = _of_error(body, body["time"], now)
    more = {
        "log.record.uid": body["id"],
        "exception.stacktrace": traceback_text(body),
        "process.pid": body["pid"],
        "thread.name": body["thread"],
        "tenuto.count": 1,
        **_code(body["frames"]),
        **{f"tenuto.context.{key}": value for key, value in body["context"].items()},
        **{f"tenuto.details.{key}": value for key, value in body["details"].items()},
    }
    if body["attempts"]:
        more["tenuto.attempts"] = body["attempts"]
    told.attributes.extend(attributes(more))
    if body["trace_id"]:
        told.trace_id = _bytes(body["trace_id"], 16)
        told.span_id = _bytes(body["span_id"], 8)
    return told


def _slice(record: Record, now: float) -> LogRecord:
    """The repeats of an error that were not told of before."""
    body = record.body
    told = _of_error(body, body["last"], now)
    more = {
        "log.record.uid": f"{body['event_id']}+{body['count'] - record.untold}",
        "tenuto.count": record.untold,
        "tenuto.first": body["first"],
        "tenuto.last": body["last"],
        "tenuto.samples": body["contexts"],
    }
    told.attributes.extend(attributes(more))
    return told


def _transition(record: Record, now: float) -> LogRecord:
    body = record.body
    headline = f"{body['policy']}: {body['before']} → {body['after']} {body['reason']}".strip()
    more = {f"tenuto.transition.{name}": body[name] for name in ("before", "after", "reason")}
    return LogRecord(
        time_unix_nano=nanoseconds(body["time"]),
        observed_time_unix_nano=nanoseconds(now),
        severity_number=SeverityNumber.SEVERITY_NUMBER_WARN,
        severity_text="WARNING",
        event_name="tenuto.transition",
        body=AnyValue(string_value=_text(headline)),
        attributes=attributes({"tenuto.policy.name": body["policy"], **more}),
    )


_KINDS = {"event": _event, "slice": _slice, "transition": _transition}


def _of_error(body: Mapping[str, Any], time: float, now: float) -> LogRecord:
    headline = f"{body['type']}: {body['message']}" if body["message"] else body["type"]
    return LogRecord(
        time_unix_nano=nanoseconds(time),
        observed_time_unix_nano=nanoseconds(now),
        severity_number=_SEVERITIES[body["severity"]],
        severity_text=body["severity"].upper(),
        body=AnyValue(string_value=_text(headline)),
        attributes=attributes(
            {
                "exception.type": body["type"],
                "exception.message": body["message"],
                "tenuto.fingerprint": body["fingerprint"],
                "tenuto.fault_class": body["fault_class"],
                "tenuto.where": body["where"],
            }
        ),
    )


def _code(frames: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Where it happened: the innermost line of the user's own code, if there is one."""
    own = [frame for frame in frames if frame["in_app"]] or frames
    if not own:
        return {}
    return {
        "code.function.name": f"{own[-1]['module']}.{own[-1]['function']}",
        "code.file.path": own[-1]["file"],
        "code.line.number": own[-1]["line"],
    }


def resource(about: Mapping[str, Any]) -> Resource:
    """Whom the telemetry is about."""
    return Resource(attributes=attributes({"service.name": "unknown_service", **about}))


def scope() -> InstrumentationScope:
    """Who tells of it."""
    return InstrumentationScope(name="tenuto")


def attributes(values: Mapping[str, Any]) -> Iterable[KeyValue]:
    """Plain values, as OpenTelemetry's."""
    return [KeyValue(key=_text(key), value=_value(value)) for key, value in values.items()]


def nanoseconds(seconds: float) -> int:
    """A time since 1970, as whole nanoseconds; nought where a clock was far off."""
    return int(seconds * 1e9) if math.isfinite(seconds) and 0 < seconds < _LARGEST / 1e9 else 0


def _value(value: Any, depth: int = 0) -> AnyValue:
    if value is None:
        return AnyValue()
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int) and -_LARGEST <= value <= _LARGEST:
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, Mapping) and depth < _DEEPEST:
        pairs = [KeyValue(key=_text(k), value=_value(v, depth + 1)) for k, v in value.items()]
        return AnyValue(kvlist_value=KeyValueList(values=pairs))
    if isinstance(value, list) and depth < _DEEPEST:
        return AnyValue(array_value=ArrayValue(values=[_value(v, depth + 1) for v in value]))
    return AnyValue(string_value=_text(value))


def _text(value: object) -> str:
    """What UTF-8 cannot hold, such as half of a surrogate pair, with backslashes."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def _bytes(identifier: str | None, length: int) -> bytes:
    """An id from its hexadecimal digits; none, where it is not of its length."""
    try:
        found = bytes.fromhex(identifier or "")
    except ValueError:
        return b""
    return found if len(found) == length else b""
