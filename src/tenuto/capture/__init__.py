"""Exception to event: frozen, bounded, redacted, fingerprinted."""

from .capturing import ATTEMPTS, capture, captured_context, identify, sketch
from .event import ErrorEvent, Frame, Link, Plain, Relation
from .identity import captured_id, claim, new_id, stamp
from .redact import REDACTED, register, scrub
from .safe import message_of, plain, type_name

__all__ = [
    "ATTEMPTS",
    "REDACTED",
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
    "message_of",
    "new_id",
    "plain",
    "register",
    "scrub",
    "sketch",
    "stamp",
    "type_name",
]
