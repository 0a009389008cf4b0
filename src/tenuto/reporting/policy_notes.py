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
_ENDS = {
    EventKind.REFUSED: AttemptEnd.REFUSED,
    EventKind.SUPPRESSED: AttemptEnd.REFUSED,
    EventKind.TIMED_OUT: AttemptEnd.FAILED,
    EventKind.OVERRAN: AttemptEnd.SUCCEEDED,
}
_KNOWN_FAILURES = 1024
_ROW_EVERY = 10.0  # seconds between two rows of one policy about the same


class PolicyNotes:
    """A listener for policies.

    Everything is counted. An error that a policy gives up on becomes an event. An attempt that will
    be repeated becomes a row among the attempts; an event only if it is the first of its kind for
    this policy. What comes in storms, such as refusals, becomes a row now and then.
    """

    def __init__(self, reporter: ErrorReporter) -> None:
        self._reporter = reporter
        self._known: set[tuple[str, type[BaseException]]] = set()
        self._rows = _Sparse(_ROW_EVERY, _KNOWN_FAILURES)
        self._limits: dict[str, float] = {}

    def __call__(self, event: PolicyEvent) -> None:
        what = f"shadow_{event.kind}" if event.shadow else event.kind.value
        self._reporter.journal.count(event.policy, event.name, what)
        if event.kind is EventKind.RETRIED:
            self._on_attempt(event)
        elif event.kind in (EventKind.GAVE_UP, EventKind.FELL_BACK):
            self._on_end(event)
        elif event.kind in _STATE_BEFORE:
            self._on_transition(event)
        elif event.kind in _ENDS:
            self._on_storm(event, _ENDS[event.kind])
        elif event.kind is EventKind.LIMIT_CHANGED:
            self._on_limit(event)

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
        if event.shadow:
            return  # nothing came of it
        before = _STATE_BEFORE[event.kind] if event.before is None else event.before.value
        self._reporter.journal.record(
            Transition(
                policy=event.name,
                before=before,
                after=event.state.value if event.state is not None else event.kind.value,
                reason=str(event.reason or event.fault_class or ""),
                detail=event.memory or {},
            )
        )

    def _on_storm(self, event: PolicyEvent, ended: AttemptEnd) -> None:
        journal = self._reporter.journal
        if event.shadow or not self._rows.due(event, journal.clock.monotonic()):
            return
        if ended is AttemptEnd.SUCCEEDED and event.error is not None:
            ended = AttemptEnd.FAILED
        attempt = journal.open_attempt(
            Attempt(work=event.name, step=event.policy, number=event.attempt or 1)
        )
        # The limit of a timeout is in seconds, that of others in calls.
        took = None if ended is AttemptEnd.REFUSED else event.limit
        journal.close_attempt(
            attempt, ended, fault_class=event.fault_class, wait=event.wait, duration=took
        )

    def _on_limit(self, event: PolicyEvent) -> None:
        if event.limit is None:
            return
        journal = self._reporter.journal
        if self._rows.due(event, journal.clock.monotonic()):
            before = self._limits.get(event.name)
            self._limits[event.name] = event.limit
            journal.record(
                Transition(
                    policy=event.name,
                    before="" if before is None else f"{before:g} at once",
                    after=f"{event.limit:g} at once",
                    reason=event.policy,
                )
            )

    def _is_new(self, name: str, kind: type[BaseException]) -> bool:
        if (name, kind) in self._known or len(self._known) >= _KNOWN_FAILURES:
            return False
        self._known.add((name, kind))
        return True


class _Sparse:
    """Lets through one of many: of each kind, policy and name one in ``seconds``."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._last: dict[tuple[str, str, str], float] = {}

    def due(self, event: PolicyEvent, now: float) -> bool:
        """Whether ``event`` is let through at ``now``, in monotonic seconds."""
        key = (event.kind, event.policy, event.name)
        last = self._last.get(key)
        if last is None and len(self._last) >= self._most:
            return False  # ever new names must not fill the memory, nor the journal
        if last is not None and now - last < self._seconds:
            return False
        self._last[key] = now
        return True
