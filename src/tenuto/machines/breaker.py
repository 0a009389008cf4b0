"""The circuit breaker as a machine: who may call, and what the results mean.

A closed circuit lets everybody through and keeps a ``Tally``. Too many failures, in a row or as a
share of a window, or too large a share of slow calls, open it; an open circuit refuses until its
time is up; then a fixed number of probes decides. Whatever a call was admitted under, a tally or a
probe, is its permit, and it belongs to one era: a result that comes after the era ended changes
nothing.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import TypeAlias

from .window import CountWindow, TimeWindow

__all__ = [
    "Breaker",
    "BreakerSettings",
    "Decision",
    "Event",
    "Pace",
    "Permit",
    "Probe",
    "State",
    "Tally",
]

_GROWTH = 2.0  # of the open time, with every probe that fails
_CALLS = 100  # in a window, where nobody says
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
    """The call ended and proves nothing but its pace: its permit is given back."""
    OVERDUE = auto()
    """The call has not ended and is slow already."""
    FORCE_OPEN = auto()
    FORCE_CLOSED = auto()
    RESET = auto()


class Pace(Enum):
    """How long a call took, for a circuit that minds."""

    FAST = auto()
    SLOW = auto()
    TOLD = auto()
    """It was slow, and counted as ``OVERDUE`` before it ended."""


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
    slow_rate: float | None = None
    """The share of slow calls in the window that opens it, whether they failed or not."""
    window_calls: int | None = None
    """The length of the window in calls, or"""
    window_seconds: float | None = None
    """in seconds."""
    minimum_calls: int = 10
    """How many calls the window must hold before a share of them means anything."""


class Breaker:
    """One circuit. Times are monotonic seconds; ``chance`` is a random number in [0, 1)."""

    __slots__ = (
        "_answered",
        "_counted",
        "_era",
        "_failures",
        "_granted",
        "_settings",
        "_slow",
        "_streak",
        "opened_at",
        "reopenings",
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
    reopenings: int
    """How many times a probe has failed since then."""
    turn: float
    """When successes counted on the tally have to be told by ``turn_over``, at the latest."""

    _streak: int  # failures since the last success
    _counted: int  # how much of the tally is in the windows
    _granted: int  # probes out, or answered
    _answered: int
    _failures: CountWindow | TimeWindow | None
    _slow: CountWindow | TimeWindow | None

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
        free = self.state is State.HALF_OPEN and self._granted < self._settings.permits
        if free and now >= self.until:
            self._granted += 1
            return Probe(self._era)
        return None

    def holds(self, probe: Probe) -> bool:
        """Whether ``probe`` is still worth something."""
        return not probe.spent and probe.era == self._era

    def postpone(self, probe: Probe, until: float) -> None:
        """Others have to be asked, and let nobody probe before ``until``: ``probe`` comes back."""
        if not self.holds(probe):
            return
        probe.spent = True
        self._granted -= 1
        self.until = until
        if self._granted == 0:  # of this machine's, nobody probes
            self.state = State.OPEN

    def on(
        self,
        event: Event,
        now: float,
        permit: Permit | None = None,
        *,
        pace: Pace = Pace.FAST,
        chance: float = 0.0,
    ) -> Decision:
        """Take in what happened. The result of a call comes with the permit it was made under."""
        if isinstance(permit, Tally):
            return self._on_counted(event, now, permit, pace)
        if isinstance(permit, Probe):
            return self._on_probe(event, now, permit, pace, chance)
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
        if self.tally is not None:
            self._move_counted(self.tally, now)

    def reconfigure(self, settings: BreakerSettings, now: float) -> Decision:
        """Go by other settings from now on, and keep what was counted as far as it fits.

        An open circuit opens for what it had left, or for what it would get now, if that is less.
        """
        self._settings = settings
        if self.tally is not None:
            self.turn_over(now)
            self._failures = self._adapted(self._failures, settings.failure_rate, now)
            self._slow = self._adapted(self._slow, settings.slow_rate, now)
            self._set_turn()
        elif self.state is State.OPEN:
            self.until = min(self.until, now + self._open_time(0.0))
        elif self.state is State.HALF_OPEN and self._answered >= settings.permits:
            self._close(State.CLOSED, now)
            return Decision.CLOSED
        return Decision.NOTED

    def retire(self) -> Breaker:
        """A machine that goes on from here; this one admits nobody any more."""
        heir = copy(self)
        self.tally, self.until = None, -math.inf
        return heir

    def restore(
        self, state: State, now: float, *, opened_at: float, until: float, reopenings: int
    ) -> None:
        """Go on where another machine has stopped; times as this one's clock tells them."""
        if state in (State.OPEN, State.HALF_OPEN, State.FORCED_OPEN):
            forced = state is State.FORCED_OPEN
            self._open(State.FORCED_OPEN if forced else State.OPEN, now, until)
            self.opened_at = min(opened_at, now)
            self.reopenings = reopenings
        else:
            self._close(state, now)

    def adopt(
        self, state: State, now: float, *, opened_at: float, until: float, reopenings: int
    ) -> Decision:
        """Be open or closed because others have found out; what somebody has forced stays.

        A closed machine that hears it is right has nothing to forget.
        """
        before = self.state
        if before in (State.FORCED_OPEN, State.FORCED_CLOSED):
            return Decision.NOTED
        if state is State.CLOSED and before is State.CLOSED:
            return Decision.NOTED
        self.restore(state, now, opened_at=opened_at, until=until, reopenings=reopenings)
        if state is State.CLOSED:
            return Decision.CLOSED
        return Decision.NOTED if before is State.OPEN else Decision.OPENED

    def _on_counted(self, event: Event, now: float, tally: Tally, pace: Pace) -> Decision:
        if tally is not self.tally:
            return Decision.LATE
        if event is Event.RELEASED and pace is Pace.SLOW:
            event = Event.OVERDUE  # which it was before it ended, whether anybody looked or not
        if self.state is not State.CLOSED or event is Event.RELEASED:
            return Decision.NOTED
        if event is Event.SUCCEEDED and pace is Pace.FAST:
            if now >= self.turn:
                self.turn_over(now)
            tally.successes += 1
            return Decision.NOTED
        self._note(event, now, tally, pace)
        if not self._too_many():
            return Decision.NOTED
        self._open(State.OPEN, now, now + self._open_time(0.0))
        return Decision.OPENED

    def _note(self, event: Event, now: float, tally: Tally, pace: Pace) -> None:
        self._move_counted(tally, now)
        failed = event is Event.FAILED
        if event is not Event.OVERDUE:  # how it ends is yet to come
            self._streak = self._streak + 1 if failed else 0
            if self._failures is not None:
                self._failures.note(not failed, failed, now)
        if self._slow is not None and pace is not Pace.TOLD:
            slow = event is Event.OVERDUE or pace is Pace.SLOW
            self._slow.note(not slow, slow, now)
        self._set_turn()

    def _on_probe(
        self, event: Event, now: float, probe: Probe, pace: Pace, chance: float
    ) -> Decision:
        if not self.holds(probe):
            return Decision.LATE
        probe.spent = True
        slow = event is Event.OVERDUE or pace is not Pace.FAST
        if event is Event.FAILED or slow:  # to be slow is not to be back
            self.reopenings += 1
            opened_at = self.opened_at
            self._open(State.OPEN, now, now + self._open_time(chance))
            self.opened_at = opened_at
            return Decision.OPENED
        if event is Event.RELEASED:
            self._granted -= 1
            return Decision.NOTED
        self._answered += 1
        if self._answered < self._settings.permits:
            return Decision.NOTED
        self._close(State.CLOSED, now)
        return Decision.CLOSED

    def _move_counted(self, tally: Tally, now: float) -> None:
        """What was counted on the tally goes into the windows, and ends a row of failures."""
        total = tally.successes  # read once: other threads count on meanwhile
        fast, self._counted = total - self._counted, total
        if fast:
            self._streak = 0
        for window in (self._failures, self._slow):
            if window is not None:
                window.note(fast, 0, now)
        self._set_turn()

    def _too_many(self) -> bool:
        settings = self._settings
        if settings.failure_threshold is not None and self._streak >= settings.failure_threshold:
            return True
        return self._exceeds(self._failures, settings.failure_rate) or self._exceeds(
            self._slow, settings.slow_rate
        )

    def _exceeds(self, window: CountWindow | TimeWindow | None, rate: float | None) -> bool:
        if window is None or rate is None or window.calls < self._settings.minimum_calls:
            return False
        return window.bad >= rate * window.calls

    def _open_time(self, chance: float) -> float:
        settings = self._settings
        # The exponent is bounded: a float overflows after a thousand failed probes.
        grown = settings.timeout * _GROWTH ** min(self.reopenings, 64)
        jittered = min(grown, settings.max_timeout) * (1.0 - _JITTER * chance)
        return max(settings.timeout, jittered)

    def _open(self, state: State, now: float, until: float) -> None:
        self._era += 1
        self.state = state
        self.until = until
        self.opened_at = now
        self.tally = None
        self._failures = self._slow = None

    def _close(self, state: State, now: float) -> None:
        self._era += 1
        self.state = state
        self.until = self.opened_at = -math.inf
        self._granted = self._answered = self.reopenings = self._streak = self._counted = 0
        self._failures = self._new_window(self._settings.failure_rate, now)
        self._slow = self._new_window(self._settings.slow_rate, now)
        self._set_turn()
        self.tally = Tally()

    def _set_turn(self) -> None:
        window = self._failures or self._slow
        self.turn = math.inf if window is None else window.turn

    def _new_window(self, rate: float | None, now: float) -> CountWindow | TimeWindow | None:
        settings = self._settings
        if rate is None:
            return None
        if settings.window_seconds is not None:
            return TimeWindow(settings.window_seconds, now)
        return CountWindow(settings.window_calls or _CALLS)

    def _adapted(
        self, window: CountWindow | TimeWindow | None, rate: float | None, now: float
    ) -> CountWindow | TimeWindow | None:
        """``window`` as the settings have it now; what it cannot hold is forgotten."""
        settings = self._settings
        if rate is not None:
            if isinstance(window, CountWindow) and settings.window_seconds is None:
                return window.resized(settings.window_calls or _CALLS)
            if isinstance(window, TimeWindow) and settings.window_seconds is not None:
                return window.resized(settings.window_seconds, now)
        return self._new_window(rate, now)
