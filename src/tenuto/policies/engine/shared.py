"""What a circuit has in common with the circuits of other processes that are called the same.

Whether it is open is decided here, by what this process has seen and what it has heard. What it
finds out is told to the others in the background. Only a call that may be a probe asks them first,
and waits a moment for the answer: of all processes together, no more than ``permits`` probe.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from itertools import count
from threading import RLock
from typing import TYPE_CHECKING

from tenuto.machines import Decision, Event, Permit, Probe, State, Tally
from tenuto.policies.events import EventKind
from tenuto.state import EXCHANGE, LEAVE, SETTLE, After, News, Operation, Reply, Seat
from tenuto.state import State as Fleet

from .outcome import Outcome
from .parking import Park, Waiter

if TYPE_CHECKING:
    from .circuit import Circuit

__all__ = ["Shared"]

_number = count(1).__next__
_NAME = "circuit breaker"  # what did it, where that was another process


class Shared:
    """A circuit as a member of a fleet. ``lock`` is the circuit's."""

    def __init__(self, circuit: Circuit, lock: RLock, fleet: Fleet) -> None:
        self.name = circuit.name("")
        self.seat = Seat()
        self._circuit = circuit
        self._lock = lock
        self._fleet = fleet
        self._number = _number()
        self._tokens: dict[Probe, str] = {}
        self._found_out: list[Operation] = []
        self._news = False

    def join(self) -> None:
        """Take part from now on."""
        self._fleet.join(self)

    # What the circuit does

    def touch(self) -> None:
        """The circuit has changed, and not because of others."""
        self._fleet.touch(self)

    def note(self, event: Event, decision: Decision, permit: Permit, now: float) -> None:
        """A call under ``permit`` was counted. Under the lock: ``send`` says it, without."""
        machine, seat = self._circuit.machine, self.seat
        if isinstance(permit, Probe) and (token := self._tokens.pop(permit, None)) is not None:
            outcome, open_for = "released", 0.0
            if decision is Decision.OPENED:
                outcome, open_for = "failed", max(0.0, machine.until - now)
            elif event is Event.SUCCEEDED and decision is not Decision.LATE:
                outcome = "succeeded"
            self._found_out.append(self._settle(token, outcome, open_for))
        if decision is Decision.CLOSED:
            seat.open = seat.voting = False
        elif decision is Decision.OPENED and (isinstance(permit, Tally) or not seat.open):
            seat.voting = True
        self._news |= decision in (Decision.OPENED, Decision.CLOSED)

    def send(self) -> None:
        """Have the others hear what was noted."""
        with self._lock:
            found_out, self._found_out = self._found_out, []
            news, self._news = self._news, False
        for operation in found_out:
            self._fleet.post(self, operation)
        if news:
            self._fleet.touch(self)

    def leave_for(self, probe: Probe) -> Generator[Park, Outcome | None, Permit | None]:
        """Ask the others whether ``probe`` may go: the permit to go by, None if there is none.

        Where nobody answers in time, that is decided here.
        """
        if self._circuit.terms.shadow:
            return probe
        token, waiter = f"{self._me()}/{_number()}", Waiter()
        answers: list[Reply | None] = []
        left = False

        def answered(reply: Reply | None) -> None:
            answers.append(reply)
            waiter.grant()
            if left and reply is not None:  # what was said of that may have come before
                self._fleet.post(self, self._settle(token, "released", 0.0))

        with self._lock:
            self._tokens[probe] = token
            question = self._exchange(token)
        try:
            if self._fleet.ask(question, answered) and not waiter.granted:
                yield Park(waiter, self._fleet.patience)
        except BaseException:  # nobody waits for it any more
            left = True
            self._circuit.settle(probe, None, _NAME)
            raise
        return self._go_by(probe, token, answers[0] if answers else None)

    def _go_by(self, probe: Probe, token: str, answer: Reply | None) -> Permit | None:
        news = None if answer is None else _readable(answer)
        after = None
        circuit = self._circuit
        with self._lock:
            now, machine = circuit.monotonic(), circuit.machine
            if news is not None:
                after = self._hear(news, now)
            permit: Permit | None = probe
            if news is not None and news.verdict == "refused":
                machine.postpone(probe, now + min(news.wait, circuit.terms.settings.max_timeout))
                permit = None
            elif not machine.holds(probe):  # by now it is another round, or over
                permit = machine.admit(now)
            if permit is not probe:
                self._tokens.pop(probe, None)
                if isinstance(permit, Probe):
                    self._tokens[permit] = token
                elif news is None or news.verdict != "refused":
                    self._found_out.append(self._settle(token, "released", 0.0))
        self.send()
        if after is not None:
            after()
        return permit

    # What the fleet does

    def report(self) -> Operation:
        with self._lock:
            return self._exchange()

    def take(self, reply: Reply) -> After | None:
        news = News.parse(reply)
        with self._lock:
            return self._hear(news, self._circuit.monotonic())

    def leave(self) -> Operation:
        return Operation(LEAVE, self.name, (self._me(),))

    def begin_anew_in_child(self) -> None:
        # Without the lock, which may be held by a thread that is not there any more.
        self._tokens.clear()
        self._found_out.clear()
        self.seat.voting = False

    # Both, under the lock

    def _me(self) -> str:
        return f"{self._fleet.node}/{self._number}"

    def _exchange(self, token: str = "") -> Operation:
        circuit, seat, fleet = self._circuit, self.seat, self._fleet
        machine, terms, now = circuit.machine, circuit.terms, circuit.monotonic()
        vote, fault = 0.0, ""
        if seat.voting and machine.state is State.OPEN and not terms.shadow:
            vote, fault = max(0.0, machine.until - now), circuit.last_fault or ""
        nodes, share = (terms.quorum, 0.0) if terms.quorum >= 1 else (0, terms.quorum)
        return Operation(
            EXCHANGE,
            self.name,
            (
                self._me(),
                *seat.told(now),
                vote,
                machine.reopenings,
                fault,
                nodes,
                share,
                fleet.alive,
                fleet.lease,
                token,
                terms.settings.permits,
                *self._tokens.values(),
            ),
        )

    def _settle(self, token: str, outcome: str, open_for: float) -> Operation:
        permits = self._circuit.terms.settings.permits
        return Operation(SETTLE, self.name, (token, outcome, open_for, permits))

    def _hear(self, news: News, now: float) -> After | None:
        """Go by ``news``, if it is any; what is left to do when the lock is released."""
        circuit, seat = self._circuit, self.seat
        if not seat.hear(news, now):
            return None
        machine = circuit.machine
        before = machine.state
        if news.open:
            seat.voting = False
            circuit.blame(news.fault or circuit.last_fault)
        elif seat.voting and before in (State.OPEN, State.HALF_OPEN):
            return None  # it has tripped by itself since, or nobody agreed
        decision = machine.adopt(
            State.OPEN if news.open else State.CLOSED,
            now,
            opened_at=now - news.age,
            until=now + min(news.left, circuit.terms.settings.max_timeout),
            reopenings=news.streak,
        )
        if decision is Decision.NOTED:
            return None
        opened = decision is Decision.OPENED
        kind = EventKind.TRIPPED if opened else EventKind.CLOSED
        wait = machine.retry_after(now)
        return partial(circuit.announce, kind, _NAME, wait=wait, before=before)


def _readable(answer: Reply) -> News | None:
    try:
        return News.parse(answer)
    except ValueError:  # as good as none
        return None
