"""What the scopes say, as two headers, and back: OpenTelemetry's words for it are inject, extract.

``tenuto-context`` is a JSON object in ASCII, of at most 4,096 bytes; ``traceparent`` is W3C Trace
Context's. They fit into the headers of HTTP, the fields of a Redis stream, the attributes of a
message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice

from tenuto.capture import (
    TRACEPARENT,
    Plain,
    captured_context,
    is_traceparent,
    plain_mapping,
    traceparent,
)

__all__ = ["HEADER", "extract", "inject"]

HEADER = "tenuto-context"

_LONGEST = 4096  # bytes
_MOST_FIELDS = 256  # that are looked through for ours
_LONGEST_FIELD_NAME = 64  # characters


def inject() -> dict[str, str]:
    """What the scopes around this line say, for ``extract`` elsewhere: two headers at the most.

    The values are redacted and shortened as they are in an error. Where they do not fit, the last
    ones are left out. Never raises.
    """
    context = captured_context(None)
    span = traceparent(context)
    context.pop(TRACEPARENT, None)
    carrier = {HEADER: _written(context)} if context else {}
    return carrier if span is None else {**carrier, TRACEPARENT: span}


def extract(carrier: Mapping[str, str]) -> dict[str, Plain]:
    """What ``inject`` put into ``carrier``: ``with scope(**extract(request.headers)): …``.

    Names are compared without case, and names and values may be bytes. A carrier comes from
    somebody else, so that what is in it is bounded and redacted again; nothing comes of one that
    is broken or is none. Never raises.
    """
    try:
        found = _ours(carrier)
        context = json.loads(found.get(HEADER, "{}"))
    except Exception:  # somebody else's mapping, and somebody else's text
        return {}
    kept = plain_mapping(context) if type(context) is dict else {}
    span = found.get(TRACEPARENT, "")
    return {**kept, TRACEPARENT: span} if is_traceparent(span) else kept


def _written(context: dict[str, Plain]) -> str:
    parts: list[str] = []
    size = 2
    for name, value in context.items():
        part = f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}"
        size += len(part) + 1
        if size > _LONGEST:
            break
        parts.append(part)
    return f"{{{','.join(parts)}}}"


def _ours(carrier: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in islice(carrier.items(), _MOST_FIELDS):
        key = _text(name, _LONGEST_FIELD_NAME).lower()
        if key in {HEADER, TRACEPARENT}:
            found[key] = _text(value, _LONGEST)
    return found


def _text(value: object, longest: int) -> str:
    """``value`` if it is text, or bytes of text, and not too long; else nothing."""
    text = value.decode("latin-1") if type(value) is bytes and len(value) <= longest else value
    # An exact copy: some libraries' names are their own kind of text.
    exact = str.__str__(text) if issubclass(type(text), str) else ""
    return exact if len(exact) <= longest else ""
