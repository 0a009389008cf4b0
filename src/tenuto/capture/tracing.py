"""The OpenTelemetry span that an error happened in.

Where OpenTelemetry is in use, that is the current one. Elsewhere it is the one that the context
brought along from where the work was sent, as ``traceparent``: W3C Trace Context, section 3.2.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

__all__ = ["TRACEPARENT", "is_traceparent", "span", "traceparent"]

TRACEPARENT = "traceparent"
"""The name of a context value, and of a header, that says which span this is part of."""

_FORM = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}", re.ASCII
)


def span(context: Mapping[str, object]) -> tuple[str | None, str | None]:
    """The ids of the trace and of the span, in hex."""
    found = traceparent(context)
    return (None, None) if found is None else (found[3:35], found[36:52])


def traceparent(context: Mapping[str, object]) -> str | None:
    """The span as W3C Trace Context writes it: the current one, or that of ``context``."""
    told = _current() or context.get(TRACEPARENT)
    return told if isinstance(told, str) and is_traceparent(told) else None


def is_traceparent(text: str) -> bool:
    """Whether ``text`` names a span as W3C Trace Context does."""
    return _FORM.fullmatch(text) is not None


def _current() -> str | None:
    """The current span, where OpenTelemetry is already in use."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    try:
        current = trace.get_current_span().get_span_context()
        if not current.is_valid:
            return None
        flags = int(getattr(current, "trace_flags", 0)) & 0xFF
        return f"00-{current.trace_id:032x}-{current.span_id:016x}-{flags:02x}"
    except Exception:  # somebody else's library, perhaps half loaded
        return None
