"""What policies do, kept in the journal."""

from __future__ import annotations

from typing import Any

from tenuto.capture import ATTEMPTS
from tenuto.journal import Attempt, AttemptEnd, Transition
from tenuto.policies import EventKind, PolicyEvent

from .reporter import ErrorReporter

__all__ = ["PolicyNotes"]

_STATE_BEFORE = {
    EventKind.TRIPPED: "closed",
    EventKind.PROBING: "open",
    EventKind.CLOSED: "half_open",
}
_KNOWN_FAILURES = 1024


class PolicyNotes:
    """A listener for policies.

    An error that a policy gives up on becomes an event. An attempt that will be repeated becomes a
    row among the attempts; an event only if it is the first of its kind for this policy.
    """

    def __init__(self, reporter: ErrorReporter) -> None:
        self._reporter = reporter
        self._known: set[tuple[str, type[BaseException]]] = set()

    def __call__(self, event: PolicyEvent) -> None:
        if event.kind is EventKind.RETRIED:
            self._on_attempt(event)
        elif event.kind in (EventKind.GAVE_UP, EventKind.FELL_BACK):
            self._on_end(event)
        elif event.kind in _STATE_BEFORE:
            self._on_transition(event)

    def _on_attempt(self, event: PolicyEvent) -> None:
        error_id = None
        if event.error is not None and self._is_new(event.name, type(event.error)):
            told = {"policy": event.name, "attempt": event.attempt, "retried": True}
            error_id = self._reporter.report(event.error, told).id
        journal = self._reporter.journal
        attempt = journal.open_attempt(
            Attempt(work=event.name, step=event.policy, number=event.attempt or 1)
        )
        journal.close_attempt(
            attempt,
            AttemptEnd.FAILED,
            error_id,
            fault_class=event.fault_class,
            wait=event.wait,
        )

    def _on_end(self, event: PolicyEvent) -> None:
        if event.error is None:
            return
        if event.history:
            history: list[dict[str, Any]] = [attempt._asdict() for attempt in event.history]
            event.error.__dict__.setdefault(ATTEMPTS, history)
        told: dict[str, Any] = {"policy": event.name, "policy_kind": event.policy}
        if event.reason is not None:
            told["stop_reason"] = event.reason.value
        if event.kind is EventKind.FELL_BACK:
            told["fell_back"] = True
        self._reporter.report(event.error, told)

    def _on_transition(self, event: PolicyEvent) -> None:
        self._reporter.journal.record(
            Transition(
                policy=event.name,
                before=_STATE_BEFORE[event.kind],
                after=event.state.value if event.state is not None else event.kind.value,
                reason=str(event.reason or event.fault_class or ""),
            )
        )

    def _is_new(self, name: str, kind: type[BaseException]) -> bool:
        if (name, kind) in self._known or len(self._known) >= _KNOWN_FAILURES:
            return False
        self._known.add((name, kind))
        return True
