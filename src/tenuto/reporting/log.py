"""Errors as log lines: one event, one line, through structlog.

Where the program has configured structlog, its processors decide what a line looks like.
Otherwise it is key=value on standard error.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tenuto.journal import Reader, Record

from .oneline import one_line, one_line_value

__all__ = ["LogLines"]

_NOT_IN_A_KEY = re.compile(r"[^\w.-]+")
_FIRST = ("timestamp", "level", "event", "service", "fault", "where", "repeats", "id")


class LogLines:
    """Tells the program's log what its own process put into the journal."""

    def __init__(self) -> None:
        self.reader = Reader("log", own=True)

    def receive(self, record: Record) -> None:
        level, event, fields = _LINES[record.kind](record.body)
        method = getattr(_logger(), level)
        method(one_line(event), **{key: one_line_value(value) for key, value in fields.items()})


def _event(body: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    fields = _common(body, body["time"], body["id"])
    frames = [frame for frame in body["frames"] if frame["in_app"]] or body["frames"]
    if frames:
        last = frames[-1]
        fields["where"] = f"{last['module']}:{last['function']}:{last['line']}"
    return body["severity"], _headline(body), {**fields, **_context(body["context"])}


def _slice(body: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    fields = _common(body, body["last"], body["event_id"])
    return body["severity"], _headline(body), {**fields, "repeats": body["count"]}


def _transition(body: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    fields = {"timestamp": _time(body["time"]), "reason": body["reason"]}
    return "warning", f"{body['policy']}: {body['before']} -> {body['after']}", fields


_LINES = {"event": _event, "slice": _slice, "transition": _transition}


def _common(body: Mapping[str, Any], time: float, event_id: str) -> dict[str, Any]:
    return {
        "timestamp": _time(time),
        "service": body["service"],
        "fault": body["fault_class"],
        "id": event_id,
        "fingerprint": body["fingerprint"],
    }


def _headline(body: Mapping[str, Any]) -> str:
    return f"{body['type']}: {body['message']}" if body["message"] else str(body["type"])


def _context(context: Mapping[str, Any]) -> dict[str, Any]:
    return {f"context.{_NOT_IN_A_KEY.sub('_', key)}": value for key, value in context.items()}


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):  # a clock far off
        return str(seconds)


def _logger() -> Any:
    import structlog  # here, on the pump's thread: it takes asyncio with it

    if structlog.is_configured():
        return structlog.get_logger("tenuto")
    return structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.LogfmtRenderer(
                key_order=_FIRST, drop_missing=True, bool_as_flag=False
            ),
        ],
        wrapper_class=structlog.BoundLogger,
    )
