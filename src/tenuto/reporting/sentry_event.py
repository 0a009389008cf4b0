"""The journal's records in the words of Sentry's protocol.

The shapes are those of its developer documentation ("Event Payloads"): an event lists exceptions
oldest first, so that a cause comes before what it caused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["breadcrumb_of", "event_of", "repeats_of"]

_LEVELS = {"info": "info", "warning": "warning", "error": "error", "critical": "fatal"}


def event_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """An error that was kept whole."""
    event = _common(body, body["time"])
    event["exception"] = {"values": _exceptions(body)}
    event["server_name"] = body["host"]
    event["contexts"]["context"] = dict(body["context"])
    event["contexts"]["details"] = dict(body["details"])
    if body["attempts"]:
        event["contexts"]["attempts"] = {
            f"attempt {number}": attempt for number, attempt in enumerate(body["attempts"], start=1)
        }
    if body["trace_id"]:
        event["contexts"]["trace"] = {"trace_id": body["trace_id"], "span_id": body["span_id"]}
    return event


def repeats_of(body: Mapping[str, Any], count: int) -> dict[str, Any]:
    """``count`` repeats of an error, in one event."""
    event = _common(body, body["last"])
    event["exception"] = {"values": [{"type": body["type"], "value": body["message"]}]}
    event["extra"] = {"count": count, "first": body["first"], "last": body["last"]}
    event["tags"]["repeats"] = "yes"
    for number, context in enumerate(body["contexts"], start=1):
        event["contexts"][f"sample {number}"] = dict(context)
    return event


def breadcrumb_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """A policy's change of state, for the events after it."""
    return {
        "timestamp": body["time"],
        "type": "default",
        "category": "tenuto",
        "level": "warning",
        "message": f"{body['policy']}: {body['before']} → {body['after']} {body['reason']}".strip(),
    }


def _common(body: Mapping[str, Any], time: float) -> dict[str, Any]:
    return {
        "timestamp": time,
        "platform": "python",
        "level": _LEVELS[body["severity"]],
        "logger": "tenuto",
        "transaction": body["where"],
        "fingerprint": [body["fingerprint"]],
        "tags": {
            "service": body["service"] or "",
            "fault_class": body["fault_class"],
            "fingerprint": body["fingerprint"],
        },
        "contexts": {},
        "extra": {"count": 1},
    }


def _exceptions(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The error last, and before it what is behind it, the oldest first."""
    links = [_exception(link, index + 1) for index, link in enumerate(body["chain"])]
    error = _exception({**body, "relation": None, "parent": None}, 0)
    return [*reversed(links), error]


def _exception(link: Mapping[str, Any], number: int) -> dict[str, Any]:
    module, _, name = link["type"].rpartition(".")
    mechanism: dict[str, Any] = {"type": "tenuto", "handled": True, "exception_id": number}
    if link["parent"] is not None:
        mechanism["type"] = "chained"
        mechanism["parent_id"] = link["parent"] + 1
        mechanism["source"] = f"__{link['relation']}__"
    exception: dict[str, Any] = {
        "type": name,
        "module": module or "builtins",
        "value": "\n".join([link["message"], *link["notes"]]),
        "mechanism": mechanism,
    }
    if link["frames"]:
        exception["stacktrace"] = {"frames": _frames(link["frames"])}
    return exception


def _frames(frames: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "filename": frame["file"],
            "function": frame["function"],
            "module": frame["module"],
            "lineno": frame["line"],
            "in_app": frame["in_app"],
            "vars": dict(frame.get("locals", {})),
        }
        for frame in frames
    ]
