"""What came before an error and after it, a line for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tenuto.capture import ErrorEvent
from tenuto.journal import Attempt, Outcome, Transition

from .terminal import moment

__all__ = ["attempt_lines", "outcome_line", "transition_lines", "try_lines"]


def attempt_lines(event: ErrorEvent) -> Iterator[str]:
    """The attempts of the call that ended in the error: whose fault each was, and the pauses."""
    for number, attempt in enumerate(event.attempts, start=1):
        if not isinstance(attempt, dict):  # an exception may carry anything under that name
            yield str(attempt)
            continue
        fault = attempt.get("fault_class") or "unacceptable result"
        took = _seconds(" after", attempt.get("duration"))
        waited = _seconds(", then waited", attempt.get("wait"))
        yield f"{attempt.get('number', number)}  {fault}{took}{waited}"


def try_lines(tries: Sequence[Attempt], error_id: str) -> Iterator[str]:
    """The tries at the input it was met on: what was tried, and how it ended."""
    for attempt in tries:
        took = _seconds(" after", attempt.duration)
        of = "" if attempt.error_id is None else f": {attempt.error_id}"
        this = ", this one" if attempt.error_id == error_id else ""
        yield f"{moment(attempt.started)}  {attempt.step} {attempt.ended}{took}{of}{this}"


def transition_lines(transitions: Sequence[Transition], time: float) -> Iterator[str]:
    """Changes of policies, and how long before or after ``time`` each was."""
    for change in transitions:
        away = (change.time or 0.0) - time
        when = f"{abs(away):.1f} s {'before' if away < 0 else 'after'}"
        why = f", {change.reason}" if change.reason else ""
        yield f"{when:>14}  {change.policy}: {change.before} → {change.after}{why}"


def outcome_line(outcome: Outcome) -> str:
    """How the input ended."""
    tier = f" by {outcome.tier}" if outcome.tier else ""
    why = f": {outcome.reason}" if outcome.reason else ""
    return f"{outcome.input} was {outcome.status.value}{tier}{why}"


def _seconds(words: str, value: object) -> str:
    return f"{words} {value:.3g} s" if isinstance(value, (int, float)) else ""
