"""The OpenTelemetry span that an error happened in."""

from __future__ import annotations

import sys

__all__ = ["span"]


def span() -> tuple[str | None, str | None]:
    """The ids of the current trace and span in hex, where OpenTelemetry is already in use."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None, None
    try:
        current = trace.get_current_span().get_span_context()
        if not current.is_valid:
            return None, None
        return f"{current.trace_id:032x}", f"{current.span_id:016x}"
    except Exception:  # somebody else's library, perhaps half loaded
        return None, None
