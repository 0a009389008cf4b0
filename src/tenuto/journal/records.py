"""What a journal holds besides errors, and what it tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tenuto.errors import FaultClass

__all__ = [
    "SETTLED_AFTER",
    "Attempt",
    "AttemptEnd",
    "Batch",
    "Foreign",
    "Group",
    "Outcome",
    "OutcomeStatus",
    "Reader",
    "Record",
    "Standing",
    "Tally",
    "Transition",
]

SETTLED_AFTER = 20.0
"""Seconds from a kept event until nothing more is folded into it, and its count has arrived."""


class OutcomeStatus(StrEnum):
    """How an input ended."""

    ENHANCED = "enhanced"
    """A tier passed its test."""
    DEGRADED = "degraded"
    """The best there was is used; ``reason`` says why it is not more."""
    QUARANTINED = "quarantined"
    """Set aside; ``reason`` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one input ended: there is exactly one for each.

    Qualities are on the meter's scale, ``seconds`` is the time the work took, ``audio_seconds``
    the length of the sound. ``errors`` are the ids of the events on the way, ``fault_class`` and
    ``group`` are the class and the fingerprint of the last of them. ``attempts`` counts how often
    the work was begun. ``content`` is the BLAKE2b hash of the bytes that were read, ``size`` their
    number, ``modified_ns`` when the file was last written, in nanoseconds since 1970 UTC.
    ``parameters`` names what the work was done with: versions and settings. ``time`` is in
    seconds since 1970 UTC; the journal fills it in.
    """

    input: str
    output: str | None
    status: OutcomeStatus
    tier: str | None = None
    quality_before: float | None = None
    quality_after: float | None = None
    seconds: float | None = None
    audio_seconds: float | None = None
    errors: tuple[str, ...] = ()
    reason: str | None = None
    time: float | None = None
    engine: str | None = None
    attempts: int | None = None
    fault_class: FaultClass | None = None
    group: str | None = None
    content: str | None = None
    size: int | None = None
    modified_ns: int | None = None
    parameters: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """One line of ``outcomes.jsonl``."""
        return {
            "input": self.input,
            "output": self.output,
            "status": self.status.value,
            "tier": self.tier,
            "quality_before": self.quality_before,
            "quality_after": self.quality_after,
            "seconds": self.seconds,
            "audio_seconds": self.audio_seconds,
            "errors": list(self.errors),
            "reason": self.reason,
            "engine": self.engine,
            "attempts": self.attempts,
            "fault_class": None if self.fault_class is None else self.fault_class.value,
            "group": self.group,
            "content": self.content,
            "size": self.size,
            "modified_ns": self.modified_ns,
            "parameters": self.parameters,
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Outcome:
        known = {name: row[name] for name in cls.__dataclass_fields__ if name in row}
        known["status"] = OutcomeStatus(row["status"])
        known["errors"] = tuple(row["errors"])
        if known.get("fault_class") is not None:
            known["fault_class"] = FaultClass(known["fault_class"])
        return cls(**known)


class AttemptEnd(StrEnum):
    """How an attempt ended."""

    OPEN = "open"
    """It has not ended, or its process was killed in the middle of it."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"
    """It was not made: a breaker, a limit or a budget said no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at one step of some work.

    ``work`` names what is worked on, such as an input's path; ``step`` what is tried, such as a
    tier. ``number`` counts from 1. ``started`` is in seconds since 1970 UTC; ``wait`` (before the
    attempt) and ``duration`` are in seconds. The journal fills in ``id`` and ``started`` where they
    are not given.
    """

    work: str
    step: str
    number: int = 1
    id: str = ""
    started: float = 0.0
    ended: AttemptEnd = AttemptEnd.OPEN
    fault_class: FaultClass | None = None
    wait: float | None = None
    duration: float | None = None
    error_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A policy went from one state to another, such as a breaker from closed to open.

    ``detail`` is what it has to know to go on in another process.
    """

    policy: str
    before: str
    after: str
    reason: str = ""
    time: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How often the policies of one kind and ``name`` have done something, in all processes."""

    policy: str
    name: str
    what: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All errors with one fingerprint.

    ``message`` and ``where`` are those of the first event, ``latest`` is the id of the last one
    that was kept whole. ``first`` and ``last`` are in seconds since 1970 UTC.
    """

    fingerprint: str
    type: str
    message: str
    where: str
    fault_class: FaultClass
    count: int
    first: float
    last: float
    latest: str


@dataclass(frozen=True, slots=True)
class Record:
    """One thing a reader is told: ``kind`` is ``event``, ``slice`` or ``transition``.

    A slice tells how often a kept event has been repeated so far. It is told again, with a higher
    ``revision`` and a higher ``count``, as the repeats go on. A reader of everything is told of
    each ``outcome`` and ``tally`` too. ``process`` is who wrote it.
    """

    position: int
    kind: str
    body: dict[str, Any]
    process: str = ""
    untold: int = 1
    """Of a slice, how many of its repeats this reader has not been told of before."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A record of another machine: ``position`` is its place in the ``journal`` of that name."""

    journal: str
    position: int
    process: str
    kind: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who follows a journal.

    One that follows only its ``own`` process starts with the process, and its place is kept in
    memory. Any other starts with the journal, and its place is kept there under its name.

    A reader of ``settled`` slices is told of one when it has stopped growing, and so nearly always
    once. What comes after such a slice waits with it, for ``SETTLED_AFTER`` seconds at most.
    """

    name: str
    own: bool = False
    settled: bool = False
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """The next records for a reader, in order; ``position`` is where they end.

    ``more`` says that there may be others after it, ``growing`` that a slice comes next which has
    not settled yet. What is no record for the reader, or, as ``spoilt`` says, none any more, is
    passed over: a batch may have few records, or none, and more after it.
    """

    records: tuple[Record, ...]
    position: int
    more: bool = False
    growing: bool = False
    spoilt: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a reader of the machine's journal has come.

    It has been told of everything up to ``position``, and not of ``lag`` records after it, the
    first of which is of ``behind_since``. Where it could not be told the last time, ``trouble``
    says why, ``failing_since`` since when, and ``refused_until`` when its destination wants to hear
    from it again, if it said so. Times are in seconds since 1970 UTC.
    """

    reader: str
    position: int
    lag: int
    behind_since: float | None = None
    failing_since: float | None = None
    refused_until: float | None = None
    trouble: str | None = None
