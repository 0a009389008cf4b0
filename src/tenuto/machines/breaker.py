"""The circuit breaker as a machine: who may call, and what the results mean.

A closed circuit lets everybody through and keeps a ``Tally``. Too many failures, in a row or as a
share of a window, open it; an open circuit refuses until its time is up; then a fixed number of
probes decides. Whatever a call was admitted under, a tally or a probe, is its permit, and it
belongs to one era: a result that comes after the era ended changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import TypeAlias

from .window import CountWindow, TimeWindow

__all__ = ["Breaker", "BreakerSettings", "Decision", "Event", "Permit", "Probe", "State", "Tally"]

_GROWTH = 2.0  # of the open time, with every probe that fails
_JITTER = 0.2  # the share of a grown open time that chance may take off


class State(StrEnum):
    """Where a circuit stands."""

    CLOSED = "closed"
    """Calls pass and are counted."""
    OPEN = "open"
    """Calls are refused until the open time is up."""
    HALF_OPEN = "half_open"
    """A few calls pass as probes; the rest are refused."""
    FORCED_OPEN = "forced_open"
    """Calls are refused until somebody says otherwise."""
    FORCED_CLOSED = "forced_closed"
    """Calls pass and nothing is counted until somebody says otherwise."""


class Event(Enum):
    """What a breaker may be told."""

    SUCCEEDED = auto()
    FAILED = auto()
    RELEASED = auto()
    """The call ended and proves nothing: its permit is given back."""
    FORCE_OPEN = auto()
    FORCE_CLOSED = auto()
    RESET = auto()


class Decision(Enum):
    """What an event led to."""

    NOTED = auto()
    LATE = auto()
    """The permit's era is over, or it was given back before: nothing changed."""
    OPENED = auto()
    CLOSED = auto()


class Tally:
    """The permit of every call of one closed era, and how many of them went well.

    A success may be counted by ``successes += 1``, without a lock: the machine looks at the
    number only when a call fails, or when a bucket of a time window is full.
    """

    __slots__ = ("successes",)

    def __init__(self) -> None:
        self.successes = 0


class Probe:
    """The permit of one call through a half-open circuit."""

    __slots__ = ("era", "spent")

    def __init__(self, era: int) -> None:
        self.era = era
        self.spent = False


Permit: TypeAlias = Tally | Probe


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When a circuit opens, and for how long. Times are in seconds."""

    failure_threshold: int | None = 5
    """Failures in a row that open the circuit; None: no number of them does."""
    timeout: float = 60.0
    """How long it stays open at first."""
    max_timeout: float = 600.0
    """How long it stays open at most, after many failed probes."""
    permits: int = 1
    """Probes of a half-open circuit, in total and at once. All have to succeed to close it."""
    failure_rate: float | None = None
    """The share of failed calls in the window, from 0 to 1, that opens the circuit."""
    window_calls: int | None = None
    """The length of the window in calls, or"""
    window_seconds: float | None = None
    """in seconds."""
    minimum_calls: int = 10
    """How many calls the window must hold before their failure rate means anything."""


class Breaker:
    """One circuit. Times are monotonic seconds; ``chance`` is a random number in [0, 1)."""

    __slots__ = (
        "_answered",
        "_counted",
        "_era",
        "_granted",
        "_reopenings",
        "_settings",
        "_streak",
        "_window",
        "opened_at",
        "state",
        "tally",
        "turn",
        "until",
    )

    state: State
    tally: Tally | None
    """The permit of every call while the circuit is closed; None while it is not."""
    until: float
    """When an open circuit lets probes through."""
    opened_at: float
    """When it opened. A failed probe changes nothing about that."""
    turn: float
    """When successes counted on the tally have to be told by ``turn_over``, at the latest."""

    _streak: int  # failures since the last success
    _counted: int  # how much of the tally is in the window
    _reopenings: int
    _granted: int  # probes out, or answered
    _answered: int
    _window: CountWindow | TimeWindow | None

    def __init__(self, settings: BreakerSettings, now: float) -> None:
        self._settings = settings
        self._era = 0
        self._close(State.CLOSED, now)

    def admit(self, now: float) -> Permit | None:
        """The permit for one call; None: it is refused."""
        if self.tally is not None:
            return self.tally
        if self.state is State.OPEN and now >= self.until:
            self.state = State.HALF_OPEN
            self._era += 1
            self._granted = self._answered = 0
        if self.state is State.HALF_OPEN and self._granted < self._settings.permits:
            self._granted += 1
            return Probe(self._era)
        return None

    def on(
        self, event: Event, now: float, permit: Permit | None = None, chance: float = 0.0
    ) -> Decision:
        """Take in what happened. The result of a call comes with the permit it was made under."""
        if isinstance(permit, Tally):
            return self._on_counted(event, now, permit)
        if isinstance(permit, Probe):
            return self._on_probe(event, now, permit, chance)
        if event is Event.FORCE_OPEN:
            self._open(State.FORCED_OPEN, now, math.inf)
            return Decision.OPENED
        self._close(State.FORCED_CLOSED if event is Event.FORCE_CLOSED else State.CLOSED, now)
        return Decision.CLOSED

    def state_at(self, now: float) -> State:
        """The state a call at ``now`` would meet."""
        due = self.state is State.OPEN and now >= self.until
        return State.HALF_OPEN if due else self.state

    def retry_after(self, now: float) -> float | None:
        """Seconds until a probe may pass; None where nobody can say."""
        return max(0.0, self.until - now) if self.state is State.OPEN else None

    def turn_over(self, now: float) -> None:
        """Move what the tally counted before ``now`` into its bucket of the time window."""
        if self.tally is not None and self._window is not None:
            self._note(self.tally, 0, now)

    def _on_counted(self, event: Event, now: float, tally: Tally) -> Decision:
        if tally is not self.tally:
            return Decision.LATE
        if event is Event.SUCCEEDED:
            if now >= self.turn:
                self.turn_over(now)
            tally.successes += 1
        elif event is Event.FAILED and self.state is State.CLOSED:
            answered_since = tally.successes != self._counted
            self._streak = 1 if answered_since else self._streak + 1
            self._note(tally, 1, now)
            if self._too_many():
                self._open(State.OPEN, now, now + self._settings.timeout)
                return Decision.OPENED
        return Decision.NOTED

    def _on_probe(self, event: Event, now: float, probe: Probe, chance: float) -> Decision:
        if probe.spent or probe.era != self._era:
            return Decision.LATE
        probe.spent = True
        if event is Event.RELEASED:
            self._granted -= 1
        elif event is Event.FAILED:
            self._reopenings += 1
            opened_at = self.opened_at
            self._open(State.OPEN, now, now + self._grown_timeout(chance))
            self.opened_at = opened_at
            return Decision.OPENED
        else:
            self._answered += 1
            if self._answered == self._settings.permits:
                self._close(State.CLOSED, now)
                return Decision.CLOSED
        return Decision.NOTED

    def _note(self, tally: Tally, failures: int, now: float) -> None:
        total = tally.successes  # read once: other threads count on meanwhile
        if self._window is not None:
            self._window.note(total - self._counted, failures, now)
            self.turn = self._window.turn
        self._counted = total

    def _too_many(self) -> bool:
        settings, window = self._settings, self._window
        if settings.failure_threshold is not None and self._streak >= settings.failure_threshold:
            return True
        if window is None or settings.failure_rate is None or window.calls < settings.minimum_calls:
            return False
        return window.failures >= settings.failure_rate * window.calls

    def _grown_timeout(self, chance: float) -> float:
        settings = self._settings
        # The exponent is bounded: a float overflows after a thousand failed probes.
        grown = settings.timeout * _GROWTH ** min(self._reopenings, 64)
        jittered = min(grown, settings.max_timeout) * (1.0 - _JITTER * chance)
        return max(settings.timeout, jittered)

    def _open(self, state: State, now: float, until: float) -> None:
        self._era += 1
        self.state = state
        self.until = until
        self.opened_at = now
        self.tally = None
        self._window = None

    def _close(self, state: State, now: float) -> None:
        self._era += 1
        self.state = state
        self.until = self.opened_at = -math.inf
        self._granted = self._answered = self._reopenings = self._streak = self._counted = 0
        self._window = self._new_window(now)
        self.turn = math.inf if self._window is None else self._window.turn
        self.tally = Tally()

    def _new_window(self, now: float) -> CountWindow | TimeWindow | None:
        settings = self._settings
        if settings.failure_rate is None:
            return None
        if settings.window_seconds is not None:
            return TimeWindow(settings.window_seconds, now)
        return CountWindow(settings.window_calls or 100)
