"""What is kept of an exception: plain values only, nothing live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tenuto.errors import FaultClass, Severity

__all__ = ["ErrorEvent", "Frame", "Link", "Plain", "Relation"]

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"
"""What JSON can hold."""

Relation: TypeAlias = Literal["cause", "context", "member"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a traceback.

    ``file`` may begin with ``~``; ``in_app`` tells the user's own code from libraries; ``locals``
    are the variables as they were at capture, shortened and redacted, where they were kept.
    """

    file: str
    function: str
    line: int
    module: str
    in_app: bool
    locals: Mapping[str, Plain] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        row: dict[str, Any] = {
            "file": self.file,
            "function": self.function,
            "line": self.line,
            "module": self.module,
            "in_app": self.in_app,
        }
        if self.locals:
            row["locals"] = dict(self.locals)
        return row

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Frame:
        return cls(
            file=row["file"],
            function=row["function"],
            line=row["line"],
            module=row["module"],
            in_app=row["in_app"],
            locals=row.get("locals", {}),
        )


@dataclass(frozen=True, slots=True)
class Link:
    """An exception behind an exception.

    ``relation`` says how it belongs to its parent: the ``cause`` it was raised from, the
    ``context`` it was raised in, or a ``member`` of a group. ``parent`` is the parent's place in
    the event's ``chain``; -1 is the event itself.
    """

    relation: Relation
    parent: int
    type: str
    message: str
    notes: tuple[str, ...] = ()
    frames: tuple[Frame, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "relation": self.relation,
            "parent": self.parent,
            "type": self.type,
            "message": self.message,
            "notes": list(self.notes),
            "frames": [frame.to_dict() for frame in self.frames],
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Link:
        return cls(
            relation=row["relation"],
            parent=row["parent"],
            type=row["type"],
            message=row["message"],
            notes=tuple(row["notes"]),
            frames=tuple(map(Frame.from_dict, row["frames"])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorEvent:
    """One captured error.

    ``id`` sorts by time; a repeat that was folded into an earlier event has that event's id, a
    hyphen and its number. ``time`` is in seconds since 1970 UTC. ``type`` is dotted, builtins
    bare. ``details`` are the error's own fields, ``context`` what the code around it said.
    ``attempts`` tells of the tries that came before, oldest first. ``release`` is the version of
    the program, where ``TENUTO_RELEASE`` (or ``SENTRY_RELEASE``) says it. ``trace_id`` and
    ``span_id`` are OpenTelemetry's, in hex.
    """

    id: str
    time: float
    service: str | None
    type: str
    message: str
    fault_class: FaultClass
    severity: Severity
    fingerprint: str
    notes: tuple[str, ...] = ()
    frames: tuple[Frame, ...] = ()
    chain: tuple[Link, ...] = ()
    details: Mapping[str, Plain] = field(default_factory=dict)
    context: Mapping[str, Plain] = field(default_factory=dict)
    attempts: tuple[Plain, ...] = ()
    host: str = ""
    pid: int = 0
    thread: str = ""
    release: str | None = None
    trace_id: str | None = None
    span_id: str | None = None

    @property
    def where(self) -> str:
        """``module:function``, of the innermost frame of the user's own code if there is one."""
        own = [frame for frame in self.frames if frame.in_app] or self.frames
        return f"{own[-1].module}:{own[-1].function}" if own else ""

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        return {
            "id": self.id,
            "time": self.time,
            "service": self.service,
            "type": self.type,
            "message": self.message,
            "fault_class": self.fault_class.value,
            "severity": self.severity.name.lower(),
            "fingerprint": self.fingerprint,
            "where": self.where,
            "notes": list(self.notes),
            "frames": [frame.to_dict() for frame in self.frames],
            "chain": [link.to_dict() for link in self.chain],
            "details": dict(self.details),
            "context": dict(self.context),
            "attempts": list(self.attempts),
            "host": self.host,
            "pid": self.pid,
            "thread": self.thread,
            "release": self.release,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> ErrorEvent:
        """The event that ``to_dict`` was made of; keys it does not know are passed over."""
        return cls(
            id=row["id"],
            time=row["time"],
            service=row["service"],
            type=row["type"],
            message=row["message"],
            fault_class=FaultClass(row["fault_class"]),
            severity=Severity[row["severity"].upper()],
            fingerprint=row["fingerprint"],
            notes=tuple(row["notes"]),
            frames=tuple(map(Frame.from_dict, row["frames"])),
            chain=tuple(map(Link.from_dict, row["chain"])),
            details=row["details"],
            context=row["context"],
            attempts=tuple(row["attempts"]),
            host=row["host"],
            pid=row["pid"],
            thread=row["thread"],
            release=row.get("release"),  # not in the journals of earlier versions
            trace_id=row["trace_id"],
            span_id=row["span_id"],
        )
