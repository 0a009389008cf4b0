"""The journal's records in the words of Sentry's protocol.

The shapes are those of its developer documentation ("Event Payloads"): an event lists exceptions
oldest first, so that a cause comes before what it caused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .source_lines import source_lines

__all__ = ["breadcrumb_of", "event_of", "repeats_of"]

_LEVELS = {"info": "info", "warning": "warning", "error": "error", "critical": "fatal"}
_TAGS = ("policy", "stop_reason")  # of the context, where it has them
_LONGEST_TAG = 200  # characters: of longer ones, Sentry keeps nothing
_AROUND = 5  # lines of source before and after the one that ran


def event_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """An error that was kept whole."""
    event = _common(body, body["time"])
    event["exception"] = {"values": _exceptions(body)}
    event["breadcrumbs"] = {"values": list(_attempts(body))}
    event["server_name"] = body["host"]
    event["contexts"]["process"] = {"pid": body["pid"], "thread": body["thread"]}
    for tag in _TAGS:
        if isinstance(body["context"].get(tag), str):
            event["tags"][tag] = _tag(body["context"][tag])
    event["contexts"]["context"] = dict(body["context"])
    event["contexts"]["details"] = dict(body["details"])
    if body["attempts"]:
        event["contexts"]["attempts"] = {
            f"attempt {number}": attempt for number, attempt in enumerate(body["attempts"], start=1)
        }
    if body["trace_id"] and body["span_id"]:  # to Sentry, one is nothing without the other
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


def breadcrumb_of(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a policy did, or an error that was met, for the events after it."""
    if kind == "transition":
        message = f"{body['policy']}: {body['before']} → {body['after']} {body['reason']}".strip()
        return _breadcrumb("tenuto.policy", body["time"], message)
    category, message = "tenuto.error", f"{body['type']}: {body['message']}"
    context = body["context"]
    for key, did in _DID.items():
        if context.get(key):
            category, message = f"tenuto.{did}", f"{_who(context, key)} {did} after {message}"
    return _breadcrumb(category, body["time"], message)


_DID = {"retried": "retried", "fell_back": "fell back", "degraded_from": "degraded"}
"""What the context of an error says of what was done about it."""


def _who(context: Mapping[str, Any], key: str) -> str:
    named = context.get("policy", context[key])
    return named if isinstance(named, str) else "a policy"


def _attempts(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The attempts before the one that ended in the error; of times, the pauses are known."""
    tries = [each for each in body["attempts"] if isinstance(each, Mapping)]
    left = [_seconds(each.get("wait")) + _seconds(each.get("duration")) for each in tries]
    for number, each in enumerate(tries[:-1], start=1):
        why = each.get("fault_class") or "an unacceptable result"
        waited = f", repeated after {_seconds(each.get('wait')):.3g} s"
        message = f"attempt {each.get('number', number)}: {why}{waited}"
        yield _breadcrumb("tenuto.retried", body["time"] - sum(left[number - 1 :]), message)


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _breadcrumb(category: str, time: float, message: str) -> dict[str, Any]:
    return {
        "timestamp": time,
        "type": "default",
        "category": category.replace(" ", "_"),
        "level": "warning",
        "message": message,
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
            "fault_class": body["fault_class"],
            "fingerprint": body["fingerprint"],
            **({"service": _tag(body["service"])} if body["service"] else {}),
        },
        "contexts": {},
        "extra": {"count": 1},
    }


def _tag(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_TAG]


def _exceptions(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The error last, and before it what is behind it, the oldest first."""
    error = {**body, "relation": None, "parent": None}
    found = [_exception(each, n, body) for n, each in enumerate([error, *body["chain"]])]
    members: dict[int, int] = {}
    for link, exception in zip(body["chain"], found[1:], strict=True):
        parent = link["parent"] + 1
        mechanism = exception["mechanism"]
        mechanism |= {"type": "chained", "parent_id": parent}
        if link["relation"] == "member":
            number = members[parent] = members.get(parent, -1) + 1
            mechanism["source"] = f"exceptions[{number}]"
            found[parent]["mechanism"]["is_exception_group"] = True
        else:
            mechanism["source"] = f"__{link['relation']}__"
    return found[::-1]


def _exception(link: Mapping[str, Any], number: int, event: Mapping[str, Any]) -> dict[str, Any]:
    module, _, name = link["type"].rpartition(".")
    exception: dict[str, Any] = {
        "type": name,
        "module": module or "builtins",
        "value": "\n".join([link["message"], *link["notes"]]),
        "mechanism": {"type": "tenuto", "handled": True, "exception_id": number},
    }
    if link["frames"]:
        exception["stacktrace"] = {"frames": _frames(link["frames"], event)}
    return exception


def _frames(frames: Sequence[Mapping[str, Any]], event: Mapping[str, Any]) -> list[dict[str, Any]]:
    last = len(frames) - 1
    return [
        {
            "filename": frame["file"],
            "function": frame["function"],
            "module": frame["module"],
            "lineno": frame["line"],
            "in_app": frame["in_app"],
            "vars": dict(frame.get("locals", {})),
            **(_source(frame, event) if frame["in_app"] or number == last else {}),
        }
        for number, frame in enumerate(frames)
    ]


def _source(frame: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    found = source_lines(
        frame["file"], frame["line"], host=event["host"], since=event["time"], around=_AROUND
    )
    if found is None:
        return {}
    return {
        "pre_context": list(found.before),
        "context_line": found.line,
        "post_context": list(found.after),
    }
