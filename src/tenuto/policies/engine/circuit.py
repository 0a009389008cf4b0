"""A live circuit: the machine, the lock that threads share it by, and the news it makes."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Generator, Mapping
from threading import RLock
from typing import Any

from tenuto.errors import CircuitOpenError, FaultClass, classify
from tenuto.machines import Breaker, Decision, Event, Pace, Permit, Probe, State
from tenuto.policies.events import EventKind, PolicyEvent, hook_failed
from tenuto.policies.events import announce as tell

from .contracts import CircuitTerms
from .flights import Flights
from .held import Held
from .lineage import is_neutral, is_refusal
from .memory import CircuitMemory, one_line, summary
from .outcome import Outcome
from .registry import register
from .shared import Shared
from .steps import Step

__all__ = ["Circuit"]

_FAILURES = (FaultClass.INFRASTRUCTURE, FaultClass.RESOURCE)


class Circuit:
    """What all calls through one ``CircuitBreaker``, or through one of its keys, share.

    The lock is held for the machine's decisions, never for a call or a listener. It is
    re-entrant: the collector may close an abandoned call, which gives its permit back, at any
    allocation, and so in a thread that holds the lock.
    """

    __slots__ = (
        "__weakref__",
        "_fault",
        "_key",
        "_lock",
        "flights",
        "machine",
        "monotonic",
        "shared",
        "terms",
    )

    def __init__(self, terms: CircuitTerms, key: str | None = None, *, alone: bool = False) -> None:
        self.terms = terms
        self._key = key
        self._lock = RLock()
        self._fault: str | None = None
        self.monotonic = terms.clock.monotonic
        self.machine = Breaker(terms.settings, self.monotonic())
        self.flights = None if terms.slow_after is None else Flights(terms.slow_after)
        """The calls under way, where it matters how long they take."""
        register(self, terms.name)
        fleet = None if alone else terms.fleet
        self.shared = None if fleet is None else Shared(self, self._lock, fleet)
        """What it has in common with those of other processes."""
        if self.shared is not None:
            self.shared.join()

    @property
    def state(self) -> State:
        self.look()
        return self.machine.state_at(self.monotonic())

    @property
    def last_fault(self) -> str | None:
        """The last failure that was counted, in a line, without what is secret."""
        return None if self._fault is None else one_line(self._fault)

    def name(self, otherwise: str) -> str:
        """What errors and events call it."""
        name = self.terms.name or otherwise
        return name if self._key is None else f"{name}[{self._key}]"

    def attempt(
        self,
        function: Callable[..., Any],
        name: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Generator[Step, Outcome | None, Outcome]:
        """One call through the circuit: yields what has to be done, is sent how it ended."""
        held = yield from self.enter(name, None if _is_iterated(function) else (args, kwargs))
        if held is None:
            refusal = self.refusal(name)
            substitute = function if self.terms.shadow else self.terms.fallback
            if substitute is None:
                return Outcome(error=refusal)
            outcome = yield substitute
            assert outcome is not None
            return outcome
        outcome = None
        try:
            outcome = yield function
        finally:
            # However this ends, the permit is given back: dropped halfway, it proves nothing.
            held.settle(outcome)
        assert outcome is not None
        return outcome

    def enter(
        self, name: str, call: tuple[tuple[Any, ...], Mapping[str, Any]] | None
    ) -> Generator[Step, Outcome | None, Held | None]:
        """Let one call in; None: it is refused. Only a ``call`` whose arguments are told is timed.

        How long a generator takes is up to its consumer, so that is none. What is yielded is the
        wait for the leave of others, where the call may be a probe of a circuit that they share.
        """
        self.look(name)
        flights, now = self.flights, self.monotonic()
        due = None if flights is None or call is None else flights.due(now, *call)
        with self._lock:
            before = self.machine.state
            permit = self.machine.admit(now)
        if self.shared is not None and isinstance(permit, Probe):
            permit = yield from self.shared.leave_for(permit)
            due = None if due is None else due + self.monotonic() - now  # that wait was not its own
        if permit is None:
            return None
        flight = None if flights is None or due is None else flights.begin(due, permit)
        held = Held(lambda outcome: self.settle(permit, outcome, name, flight))
        if isinstance(permit, Probe) and before is not State.HALF_OPEN:
            try:
                self.announce(EventKind.PROBING, name)
            except BaseException:  # an interruption, while the listener ran
                held.settle(None)
                raise
        return held

    def settle(
        self, permit: Permit, outcome: Outcome | None, name: str, flight: int | None = None
    ) -> None:
        """The call under ``permit`` is over. Without an outcome it proves nothing."""
        event = Event.RELEASED if outcome is None else self._meaning(outcome)
        now, pace = self.monotonic(), Pace.FAST
        if flight is not None and self.flights is not None:
            pace = self.flights.end(flight, now)
        error = None if outcome is None else outcome.error
        self._take_in(event, now, permit, name, pace, error if event is Event.FAILED else None)

    def command(self, event: Event) -> None:
        """Force the circuit open or closed, or reset it."""
        with self._lock:
            before = self.machine.state
            decision = self.machine.on(event, self.monotonic())
        if self.shared is not None:
            self.shared.touch()
        opened = decision is Decision.OPENED
        kind = EventKind.TRIPPED if opened else EventKind.CLOSED
        self.announce(kind, "circuit breaker", before=before)

    def turn_over(self) -> None:
        """Let the time window begin its next bucket."""
        with self._lock:
            self.machine.turn_over(self.monotonic())

    def look(self, name: str = "circuit breaker") -> None:
        """Count the calls that have not ended and are slow already, if it is time to look again."""
        flights = self.flights
        if flights is None or (now := self.monotonic()) < flights.look_at:
            return
        for permit in flights.overdue(now):
            self._take_in(Event.OVERDUE, now, permit, name, Pace.SLOW)

    def refusal(self, name: str) -> CircuitOpenError:
        """The error for a call that is not let through: a new one each time."""
        now = self.monotonic()
        with self._lock:
            open_for = max(0.0, now - self.machine.opened_at)
            retry_after = self.machine.retry_after(now)
            state = self.machine.state
        if math.isinf(open_for):
            open_for = 0.0  # it has closed meanwhile
        back = "" if retry_after is None else f"; come back in {retry_after:.3g} s"
        probing = "; a probe is under way" if state is State.HALF_OPEN else ""
        last_fault = self.last_fault
        fault = "" if last_fault is None else f"; last fault: {last_fault}"
        shown = self.name(name)
        refusal = CircuitOpenError(
            message=f"{shown} was not called, its circuit is open{back}{probing}{fault}",
            service=shown,
            retry_after=retry_after,
            open_for=open_for,
            since=self.terms.clock.now() - open_for,
            last_fault=last_fault,
        )
        self.announce(EventKind.REFUSED, name, refusal, retry_after)
        return refusal

    def reconfigure(self, *, renew: bool) -> None:
        """Go by what the terms say now; what was counted stays, as far as it fits.

        ``renew`` the paths of the functions that are guarded already, if what they know of the
        terms is no longer so: the machine they look at is retired, and they look for another.
        """
        now, limit = self.monotonic(), self.terms.slow_after
        with self._lock:
            shape, before = self._shape(), self.machine.state
            decision = self.machine.reconfigure(self.terms.settings, now)
            if limit is None or self.flights is None:
                self.flights = None if limit is None else Flights(limit)
            else:
                self.flights.limit = limit
            if renew or shape != self._shape():
                self.machine = self.machine.retire()
        if decision is Decision.CLOSED:
            self.announce(EventKind.CLOSED, "circuit breaker", before=before)

    def remember(self) -> CircuitMemory:
        """What the circuit has to know to go on in another process."""
        now, wall, last_fault = self.monotonic(), self.terms.clock.now(), self.last_fault
        with self._lock:
            machine = self.machine
            return CircuitMemory(
                machine.state,
                since=wall + machine.opened_at - now if math.isfinite(machine.opened_at) else None,
                until=wall + machine.until - now if math.isfinite(machine.until) else None,
                reopenings=machine.reopenings,
                last_fault=last_fault,
            )

    def restore(self, memory: CircuitMemory) -> None:
        """Go on where another process has stopped.

        The wall clock may have been set since: nothing waits longer than ``max_timeout``. Where
        others share the circuit, and have been heard of, they know better.
        """
        if self.shared is not None and self.shared.seat.era > 0:
            return
        now, wall = self.monotonic(), self.terms.clock.now()
        left = 0.0 if memory.until is None else max(0.0, memory.until - wall)
        left = min(left, self.terms.settings.max_timeout)
        ago = 0.0 if memory.since is None else max(0.0, wall - memory.since)
        with self._lock:
            self._fault = memory.last_fault
            self.machine.restore(
                memory.state,
                now,
                opened_at=now - ago,
                until=math.inf if memory.state is State.FORCED_OPEN else now + left,
                reopenings=memory.reopenings,
            )

    def blame(self, fault: str | None) -> None:
        """What the others say was the last failure."""
        self._fault = fault

    def _shape(self) -> tuple[bool, bool]:
        """What decides which happy path is the right one."""
        return self.machine.turn < math.inf, self.flights is not None

    def _take_in(
        self,
        event: Event,
        now: float,
        permit: Permit,
        name: str,
        pace: Pace,
        failure: BaseException | None = None,
    ) -> None:
        chance = self.terms.clock.random() if isinstance(permit, Probe) else 0.0
        with self._lock:
            before = self.machine.state
            decision = self.machine.on(event, now, permit, pace=pace, chance=chance)
            wait = self.machine.retry_after(now)
            if self.shared is not None:
                self.shared.note(event, decision, permit, now)
        if failure is not None and decision is not Decision.LATE:
            self._fault = summary(failure)
        elif event is Event.OVERDUE and decision is not Decision.LATE:
            self._fault = "a call has not ended and is slow already"
        elif decision is Decision.OPENED:
            self._fault = "calls are too slow"
        if self.shared is not None:
            self.shared.send()
        if decision is Decision.OPENED:
            self.announce(EventKind.TRIPPED, name, failure, wait, before=before)
        elif decision is Decision.CLOSED:
            self.announce(EventKind.CLOSED, name, before=before)

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
        *,
        before: State | None = None,
    ) -> None:
        listener = self.terms.on_event
        if listener is None:
            return
        fault = None if error is None else classify(error, FaultClass.INFRASTRUCTURE)
        event = PolicyEvent(
            kind,
            "breaker",
            self.name(name),
            error=error,
            fault_class=fault,
            wait=wait,
            reason=error.reason if isinstance(error, CircuitOpenError) else None,
            state=self.machine.state_at(self.monotonic()),
            before=before,
            shadow=self.terms.shadow,
            memory=None if kind is EventKind.REFUSED else self.remember().to_dict(),
        )
        tell(listener, event)


def _is_iterated(function: Callable[..., Any]) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
