"""Exception in, event out."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import replace

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.context import current_context
from tenuto.errors import FaultClass, TenutoError, classify

from .chain import chain, notes_of
from .event import ErrorEvent, Plain
from .fingerprint import fingerprint
from .frames import LocalsBudget, frames
from .identity import new_id, stamp
from .safe import message_of, plain, plain_mapping, type_name
from .tracing import span

__all__ = ["ATTEMPTS", "capture", "captured_context", "identify", "sketch"]

ATTEMPTS = "__tenuto_attempts__"
"""Where an exception carries the history of the attempts that ended in it."""

_HOST = os.uname().nodename
_UNKNOWN = "v1:0000000000000000"


def captured_context(context: Mapping[str, object] | None) -> dict[str, Plain]:
    """What the scopes around this line say and, before them, ``context``: redacted and bounded."""
    try:
        merged = {**current_context(), **(context or {})}
        return plain_mapping(merged)
    except Exception as hostile:  # a mapping of the user's own making
        return {"context": f"<lost: {type(hostile).__name__}>"}


def identify(error: BaseException, context: Mapping[str, object]) -> str:
    """The fingerprint of ``error``. Never raises."""
    try:
        return fingerprint(error, context)
    except Exception:  # an exception may be built to break whoever looks at it
        return _UNKNOWN


def capture(
    error: BaseException,
    *,
    context: Mapping[str, object] | None = None,
    service: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> ErrorEvent:
    """A frozen record of ``error``, with nothing live in it. Never raises.

    ``context`` is added to what the scopes around the call say. All text is redacted and all
    sizes are bounded. The error is stamped with the event's id, and a later capture of the same
    exception object has that id again.
    """
    event_id = stamp(error, new_id(clock))
    kept = captured_context(context)
    try:
        event = _whole(error, event_id, kept, clock.now(), classify(error))
        return event if service is None else replace(event, service=service)
    except Exception as hostile:  # an exception may be built to break whoever looks at it
        lost = f"<lost: capturing it raised {type(hostile).__name__}>"
        return replace(sketch(error, lost, clock=clock), id=event_id, service=service, context=kept)


def sketch(error: BaseException, message: str, *, clock: Clock = SYSTEM_CLOCK) -> ErrorEvent:
    """What can be said of ``error`` without asking it anything. Never raises."""
    fault = FaultClass.BUG
    return ErrorEvent(
        id=new_id(clock),
        time=clock.now(),
        service=None,
        type=type.__getattribute__(type(error), "__qualname__"),
        message=message,
        fault_class=fault,
        severity=fault.severity,
        fingerprint=_UNKNOWN,
        host=_HOST,
        pid=os.getpid(),
    )


def _whole(
    error: BaseException,
    event_id: str,
    context: dict[str, Plain],
    now: float,
    fault: FaultClass,
) -> ErrorEvent:
    budget = LocalsBudget()
    trace_id, span_id = span()
    attempts = plain(error.__dict__.get(ATTEMPTS, ()))
    return ErrorEvent(
        id=event_id,
        time=now,
        service=None,
        type=type_name(type(error)),
        message=message_of(error),
        fault_class=fault,
        severity=fault.severity,
        fingerprint=identify(error, context),
        notes=notes_of(error),
        frames=frames(error.__traceback__, budget),
        chain=chain(error, budget),
        details=plain_mapping(error.details) if isinstance(error, TenutoError) else {},
        context=context,
        attempts=tuple(attempts) if isinstance(attempts, list) else (),
        host=_HOST,
        pid=os.getpid(),
        thread=threading.current_thread().name,
        trace_id=trace_id,
        span_id=span_id,
    )
