"""A live circuit: the machine, the lock that threads share it by, and the news it makes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from threading import RLock
from typing import Any

from tenuto.errors import CircuitOpenError, FaultClass, classify
from tenuto.machines import Breaker, Decision, Event, Permit, Probe, State
from tenuto.policies.events import EventKind, PolicyEvent, hook_failed
from tenuto.policies.events import announce as tell

from .contracts import CircuitTerms
from .lineage import is_neutral, is_refusal
from .outcome import Outcome

__all__ = ["Circuit"]

_FAILURES = (FaultClass.INFRASTRUCTURE, FaultClass.RESOURCE)
_LONGEST_SUMMARY = 200  # characters


class Circuit:
    """What all calls through one ``CircuitBreaker`` share.

    The lock is held for the machine's decisions, never for a call or a listener. It is
    re-entrant: the collector may close an abandoned call, which gives its permit back, at any
    allocation, and so in a thread that holds the lock.
    """

    __slots__ = ("_lock", "last_fault", "machine", "monotonic", "terms")

    def __init__(self, terms: CircuitTerms) -> None:
        self.terms = terms
        self._lock = RLock()
        self.last_fault: str | None = None
        """The last failure that was counted, in a line."""
        self.monotonic = terms.clock.monotonic
        self.machine = Breaker(terms.settings, self.monotonic())

    @property
    def state(self) -> State:
        return self.machine.state_at(self.monotonic())

    def attempt(
        self, function: Callable[..., Any], name: str
    ) -> Generator[Callable[..., Any], Outcome, Outcome]:
        """One call through the circuit: yields what has to be called, is sent how it ended."""
        permit, starts_probing = self.admit()
        if permit is None:
            refusal = self.refusal(name)
            if self.terms.fallback is None:
                return Outcome(error=refusal)
            return (yield self.terms.fallback)
        outcome: Outcome | None = None
        try:
            if starts_probing:
                self.announce(EventKind.PROBING, name)
            outcome = yield function
        finally:
            # However this ends, the permit is given back: dropped halfway, it proves nothing.
            self.settle(permit, outcome, name)
        return outcome

    def admit(self) -> tuple[Permit | None, bool]:
        """The permit for one call, if there is one, and whether it is the first to probe."""
        machine, now = self.machine, self.monotonic()
        with self._lock:
            before = machine.state
            permit = machine.admit(now)
            return permit, isinstance(permit, Probe) and before is not State.HALF_OPEN

    def settle(self, permit: Permit, outcome: Outcome | None, name: str) -> None:
        """The call under ``permit`` is over. Without an outcome it proves nothing."""
        event = Event.RELEASED if outcome is None else self._meaning(outcome)
        error = None if outcome is None else outcome.error
        if event is Event.FAILED and error is not None:
            self.last_fault = _summary(error)
        now = self.monotonic()
        chance = self.terms.clock.random() if event is Event.FAILED else 0.0
        with self._lock:
            decision = self.machine.on(event, now, permit, chance)
            wait = self.machine.retry_after(now)
        if decision is Decision.OPENED:
            self.announce(EventKind.TRIPPED, name, error, wait)
        elif decision is Decision.CLOSED:
            self.announce(EventKind.CLOSED, name)

    def command(self, event: Event) -> None:
        """Force the circuit open or closed, or reset it."""
        with self._lock:
            decision = self.machine.on(event, self.monotonic())
        opened = decision is Decision.OPENED
        self.announce(EventKind.TRIPPED if opened else EventKind.CLOSED, "circuit breaker")

    def turn_over(self) -> None:
        """Let the time window begin its next bucket."""
        with self._lock:
            self.machine.turn_over(self.monotonic())

    def refusal(self, name: str) -> CircuitOpenError:
        """The error for a call that is not let through: a new one each time."""
        name = self.terms.name or name
        now = self.monotonic()
        with self._lock:
            open_for = max(0.0, now - self.machine.opened_at)
            retry_after = self.machine.retry_after(now)
            state = self.machine.state
        back = "" if retry_after is None else f"; come back in {retry_after:.3g} s"
        probing = "; a probe is under way" if state is State.HALF_OPEN else ""
        fault = "" if self.last_fault is None else f"; last fault: {self.last_fault}"
        refusal = CircuitOpenError(
            message=f"{name} was not called, its circuit is open{back}{probing}{fault}",
            service=name,
            retry_after=retry_after,
            open_for=open_for,
            last_fault=self.last_fault,
        )
        self.announce(EventKind.REFUSED, name, refusal, retry_after)
        return refusal

    def _meaning(self, outcome: Outcome) -> Event:
        """What an outcome says about the dependency."""
        error = outcome.error
        if error is None:
            return Event.SUCCEEDED
        fault = classify(error, FaultClass.INFRASTRUCTURE)
        if is_neutral(error, fault) or is_refusal(error):
            return Event.RELEASED
        matches = self.terms.matches
        try:
            failed = fault in _FAILURES if matches is None else matches(error)
        except Exception as broken:  # a rule's bug must not replace the user's own error
            hook_failed(broken)
            return Event.RELEASED
        return Event.FAILED if failed else Event.SUCCEEDED

    def announce(
        self,
        kind: EventKind,
        name: str,
        error: BaseException | None = None,
        wait: float | None = None,
    ) -> None:
        listener = self.terms.on_event
        if listener is None:
            return
        fault = None if error is None else classify(error, FaultClass.INFRASTRUCTURE)
        event = PolicyEvent(
            kind,
            "breaker",
            self.terms.name or name,
            error=error,
            fault_class=fault,
            wait=wait,
            state=self.state,
        )
        tell(listener, event)


def _summary(error: BaseException) -> str:
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # an error may fail to describe itself
        text = type(error).__name__
    return text[:_LONGEST_SUMMARY]
