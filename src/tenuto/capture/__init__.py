"""Exception to event: frozen, bounded, redacted, fingerprinted."""

from .capturing import ATTEMPTS, capture, captured_context, identify, sketch
from .event import ErrorEvent, Frame, Link, Plain, Relation
from .identity import captured_id, claim, new_id, stamp
from .message import message_of
from .redact import REDACTED, register, scrub
from .safe import plain, plain_mapping
from .text import type_name
from .tracing import TRACEPARENT, is_traceparent, traceparent

__all__ = [
    "ATTEMPTS",
    "REDACTED",
    "TRACEPARENT",
    "ErrorEvent",
    "Frame",
    "Link",
    "Plain",
    "Relation",
    "capture",
    "captured_context",
    "captured_id",
    "claim",
    "identify",
    "is_traceparent",
    "message_of",
    "new_id",
    "plain",
    "plain_mapping",
    "register",
    "scrub",
    "sketch",
    "stamp",
    "traceparent",
    "type_name",
]
