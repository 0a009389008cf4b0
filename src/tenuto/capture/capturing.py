"""Exception in, event out."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, TypeVar

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.context import current_context
from tenuto.errors import FaultClass, TenutoError, classify

from .chain import chain, notes_of
from .event import ErrorEvent, Frame, Plain
from .fingerprint import VERSION, fingerprint
from .frames import LocalsBudget, frames
from .identity import new_id, stamp
from .message import message_of
from .peek import dict_of, traceback_of
from .safe import plain, plain_mapping
from .text import text, type_name
from .tracing import span

__all__ = ["ATTEMPTS", "capture", "captured_context", "identify", "sketch"]

T = TypeVar("T")

ATTEMPTS = "__tenuto_attempts__"
"""Where an exception carries the history of the attempts that ended in it."""

_HOST = os.uname().nodename
_UNKNOWN = f"{VERSION}:{0:016}"
_MOST_CONTEXT = 1024  # values that are looked at
_LONGEST_NAME = 200  # characters


def captured_context(context: Mapping[str, object] | None) -> dict[str, Plain]:
    """What ``context`` says and, after it, the scopes around this line: redacted and bounded."""
    given: dict[str, object] = {}
    lost: dict[str, Plain] = {}
    if context is not None:
        try:
            given = _first(context)
        except KeyboardInterrupt:
            raise
        except BaseException as hostile:  # a mapping of the user's own making
            lost = {"context": f"<lost: {type_name(type(hostile))}>"}
    for name, value in islice(current_context().items(), _MOST_CONTEXT):
        given.setdefault(name, value)
    return {**plain_mapping(given), **lost}


def _first(context: Mapping[str, object]) -> dict[str, object]:
    is_dict = issubclass(type(context), dict)
    pairs = dict.items(context) if is_dict else context.items()  # type: ignore[arg-type]
    return dict(islice(pairs, _MOST_CONTEXT))


def identify(error: BaseException, context: Mapping[str, object]) -> str:
    """The fingerprint of ``error``. Never raises."""
    return _or(_UNKNOWN, fingerprint, error, context, None)


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
    fault = _fault_of(error)
    message = message_of(error)
    budget = LocalsBudget()
    trace_id, span_id = span(kept)
    # A part that cannot be had, because there is no memory or no stack left, costs only itself.
    return ErrorEvent(
        id=event_id,
        time=clock.now(),
        service=service,
        type=type_name(type(error)),
        message=message,
        fault_class=fault,
        severity=fault.severity,
        fingerprint=_or(_UNKNOWN, fingerprint, error, kept, message),
        notes=_or((), notes_of, error),
        frames=_or((), _frames_of, error, budget),
        chain=_or((), chain, error, budget),
        details=_or({}, _details_of, error),
        context=kept,
        attempts=_or((), _attempts_of, error),
        host=_HOST,
        pid=os.getpid(),
        thread=_or("", _thread_name),
        release=_release(),
        trace_id=trace_id,
        span_id=span_id,
    )


def sketch(error: BaseException, message: str, *, clock: Clock = SYSTEM_CLOCK) -> ErrorEvent:
    """What can be said of ``error`` without asking it anything. Never raises."""
    fault = FaultClass.BUG
    return ErrorEvent(
        id=new_id(clock),
        time=clock.now(),
        service=None,
        type=type_name(type(error)),
        message=message,
        fault_class=fault,
        severity=fault.severity,
        fingerprint=_UNKNOWN,
        host=_HOST,
        pid=os.getpid(),
    )


def _or(otherwise: T, tell: Callable[..., T], *about: Any) -> T:
    try:
        return tell(*about)
    except Exception:  # whatever it is, the rest is told
        return otherwise


def _fault_of(error: BaseException) -> FaultClass:
    try:
        return classify(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # rules, and attributes of the error, are somebody else's code
        return FaultClass.BUG


def _frames_of(error: BaseException, budget: LocalsBudget) -> tuple[Frame, ...]:
    return frames(traceback_of(error), budget)


def _details_of(error: BaseException) -> dict[str, Plain]:
    details = dict_of(error).get("details") if issubclass(type(error), TenutoError) else None
    return plain_mapping(details) if type(details) is dict else {}


def _attempts_of(error: BaseException) -> tuple[Plain, ...]:
    attempts = plain(dict_of(error).get(ATTEMPTS))
    return tuple(attempts) if isinstance(attempts, list) else ()


def _thread_name() -> str:
    return text(threading.current_thread().name, _LONGEST_NAME)


def _release() -> str | None:
    named = os.environ.get("TENUTO_RELEASE") or os.environ.get("SENTRY_RELEASE")
    return text(named, _LONGEST_NAME) if named else None
