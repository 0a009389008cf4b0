"""What a journal knows around one error: what became of its input, and what policies did then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tenuto.capture import ErrorEvent
from tenuto.journal import Attempt, Journal, Outcome, Transition

__all__ = ["Surroundings", "surroundings_of"]

_AROUND = 300.0  # seconds, before and after
_MOST = 10


@dataclass(frozen=True, slots=True)
class Surroundings:
    """``asked`` is the id somebody asked for: that of the error, or of one of its ``repeats``.

    ``tries`` are those at the input that it was met on; ``transitions``, oldest first, those of the
    five minutes before it and after it.
    """

    asked: str
    repeats: int
    outcome: Outcome | None
    tries: Sequence[Attempt]
    transitions: Sequence[Transition]

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        return {
            "repeats": self.repeats,
            "outcome": None if self.outcome is None else self.outcome.to_dict(),
            "tries": [asdict(attempt) for attempt in self.tries],
            "transitions": [asdict(change) for change in self.transitions],
        }


def surroundings_of(event: ErrorEvent, asked: str, journal: Journal) -> Surroundings:
    """What is known around ``event``, which somebody ``asked`` for by that id."""
    outcome = journal.outcome_of(asked)
    work = event.context.get("input") if outcome is None else outcome.input
    return Surroundings(
        asked=asked,
        repeats=journal.repeats(event.id),
        outcome=outcome,
        tries=journal.attempts(work)[-_MOST:] if isinstance(work, str) else (),
        transitions=_nearest(event, journal),
    )


def _nearest(event: ErrorEvent, journal: Journal) -> list[Transition]:
    between = (event.time - _AROUND, event.time + _AROUND)
    found = journal.transitions(between=between)
    nearest = sorted(found, key=lambda change: abs((change.time or 0.0) - event.time))[:_MOST]
    return sorted(nearest, key=lambda change: change.time or 0.0)
