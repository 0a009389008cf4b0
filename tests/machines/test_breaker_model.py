"""The breaker against a plain model that keeps a list of everything that happened."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tenuto.machines import Breaker, BreakerSettings, Decision, Event, Pace, Probe, State
from tests.thoroughness import REPEATABLE, examples

THRESHOLD, TIMEOUT, CAP, PERMITS, RATE, SLOW, WINDOW, MINIMUM = 3, 10, 40, 2, 0.6, 0.5, 8, 5


class Model:
    """What a careful reader of the documentation would write down, without any cleverness."""

    def __init__(self):
        self.era = 0
        self.now = 0
        self.threshold, self.timeout, self.permits, self.window = (
            THRESHOLD,
            TIMEOUT,
            PERMITS,
            WINDOW,
        )
        self.close(State.CLOSED)

    def change(self, threshold, timeout, permits, window):
        """Other settings; whether the circuit closes by that."""
        held = min(self.window, window)  # one that was smaller has forgotten what it could not hold
        self.results, self.paces = self.results[-held:], self.paces[-held:]
        self.threshold, self.timeout, self.permits, self.window = (
            threshold,
            timeout,
            permits,
            window,
        )
        if self.state is State.OPEN:
            self.until = min(self.until, self.now + self.open_time())
        if self.state is State.HALF_OPEN and self.good >= permits:
            self.close(State.CLOSED)
            return True
        return False

    def open_time(self):
        return max(self.timeout, min(CAP, self.timeout * 2**self.failed_probes))

    def close(self, state):
        self.era += 1
        self.state, self.failed_probes = state, 0
        self.results, self.paces = [], []  # of the calls of this era: what failed, what was slow

    def open(self, state, seconds):
        self.era += 1
        self.state, self.until = state, self.now + seconds

    def admit(self):
        if self.state is State.OPEN and self.now >= self.until:
            self.era += 1
            self.state, self.out, self.good = State.HALF_OPEN, 0, 0
        if self.state is State.HALF_OPEN:
            if self.out + self.good >= self.permits:
                return None
            self.out += 1
            return self.era
        return self.era if self.state in {State.CLOSED, State.FORCED_CLOSED} else None

    def settle(self, era, event, pace=Pace.FAST):
        if era != self.era:
            return
        if event is Event.RELEASED and pace is Pace.SLOW:
            event = Event.OVERDUE  # it was late before it was given back
        if self.state is State.HALF_OPEN:
            self.out -= 1
            if event is Event.SUCCEEDED and pace is Pace.FAST:
                self.good += 1
                if self.good >= self.permits:
                    self.close(State.CLOSED)
            elif event is not Event.RELEASED:
                self.failed_probes += 1
                self.open(State.OPEN, self.open_time())
        elif self.state is State.CLOSED and event is not Event.RELEASED:
            self.count(event, pace)

    def count(self, event, pace):
        if event is not Event.OVERDUE:
            self.results.append(event is Event.FAILED)
        if pace is not Pace.TOLD:
            self.paces.append(pace is Pace.SLOW or event is Event.OVERDUE)
        in_a_row = self.row_of_failures() >= self.threshold
        too_often = self.share(self.results, RATE) or self.share(self.paces, SLOW)
        harmless = event is Event.SUCCEEDED and pace is Pace.FAST
        if not harmless and (in_a_row or too_often):
            self.open(State.OPEN, self.open_time())

    def row_of_failures(self):
        return len(list(takewhile(bool, reversed(self.results))))

    def share(self, calls, rate):
        recent = calls[-self.window :]
        return len(recent) >= MINIMUM and sum(recent) >= rate * len(recent)


class BreakerAgainstModel(RuleBasedStateMachine):
    calls = Bundle("calls")

    def __init__(self):
        super().__init__()
        self.model = Model()
        self.settings = BreakerSettings(
            failure_threshold=THRESHOLD,
            timeout=TIMEOUT,
            max_timeout=CAP,
            permits=PERMITS,
            failure_rate=RATE,
            slow_rate=SLOW,
            window_calls=WINDOW,
            minimum_calls=MINIMUM,
        )
        self.machine = Breaker(self.settings, 0)

    @rule(seconds=st.integers(0, 25))
    def time_passes(self, seconds):
        self.model.now += seconds

    @rule(target=calls)
    def a_call_starts(self):
        permit, era = self.machine.admit(self.model.now), self.model.admit()
        assert (permit is None) == (era is None)
        return permit, era

    @rule(
        call=consumes(calls),
        event=st.sampled_from(["SUCCEEDED", "FAILED", "RELEASED"]),
        pace=st.sampled_from([Pace.FAST, Pace.FAST, Pace.SLOW]),
    )
    def a_call_ends(self, call, event, pace=Pace.FAST):
        permit, era = call
        if permit is None:
            return
        late = era != self.model.era
        decision = self.machine.on(Event[event], self.model.now, permit, pace=pace)
        self.model.settle(era, Event[event], pace)
        assert (decision is Decision.LATE) == late
        if isinstance(permit, Probe):  # a permit is worth nothing the second time
            again = self.machine.on(Event[event], self.model.now, permit, pace=pace)
            assert again is Decision.LATE

    @rule(call=consumes(calls), event=st.sampled_from(["SUCCEEDED", "FAILED", "RELEASED"]))
    def a_call_is_late_and_ends_later(self, call, event):
        permit, era = call
        if permit is None:
            return
        self.machine.on(Event.OVERDUE, self.model.now, permit, pace=Pace.SLOW)
        self.model.settle(era, Event.OVERDUE, Pace.SLOW)
        self.machine.on(Event[event], self.model.now, permit, pace=Pace.TOLD)
        if not isinstance(permit, Probe):  # which is spent
            self.model.settle(era, Event[event], Pace.TOLD)

    @rule(failures=st.integers(1, 3))
    def a_row_of_failures(self, failures):
        for _ in range(failures):
            self.a_call_ends((self.machine.admit(self.model.now), self.model.admit()), "FAILED")

    @rule(call=consumes(calls))
    def a_success_is_counted_without_the_machine(self, call):
        permit, era = call
        if permit is None or isinstance(permit, Probe):
            self.a_call_ends(call, "SUCCEEDED")
        else:
            permit.successes += 1
            self.model.settle(era, Event.SUCCEEDED)

    @rule()
    def another_process_goes_on(self):
        """With what is remembered: an era of its own, and nothing of what was counted."""
        until = self.machine.until
        self.machine.restore(
            self.machine.state,
            self.model.now,
            opened_at=self.machine.opened_at,
            until=until,
            reopenings=self.machine.reopenings,
        )
        if self.model.state is State.HALF_OPEN:
            self.model.open(State.OPEN, 0)
            self.model.until = until
        elif self.model.state in {State.OPEN, State.FORCED_OPEN}:
            self.model.era += 1
        else:
            self.model.close(self.model.state)

    @rule(
        threshold=st.integers(2, 4),
        timeout=st.sampled_from([5, 10, 20]),
        permits=st.integers(1, 3),
        window=st.integers(MINIMUM, 10),
    )
    def somebody_changes_the_settings(self, threshold, timeout, permits, window):
        now = {"failure_threshold": threshold, "timeout": timeout, "permits": permits}
        settings = replace(self.settings, **now, window_calls=window)
        decision = self.machine.reconfigure(settings, self.model.now)
        assert (decision is Decision.CLOSED) == self.model.change(
            threshold, timeout, permits, window
        )
        self.settings = settings

    @rule(event=st.sampled_from(["FORCE_OPEN", "FORCE_CLOSED", "RESET", "RESET"]))
    def somebody_interferes(self, event):
        self.machine.on(Event[event], self.model.now)
        if event == "FORCE_OPEN":
            self.model.open(State.FORCED_OPEN, float("inf"))
        else:
            self.model.close(State.FORCED_CLOSED if event == "FORCE_CLOSED" else State.CLOSED)

    @invariant()
    def both_say_the_same(self):
        assert self.machine.state is self.model.state
        assert (self.machine.tally is not None) == (
            self.model.state in {State.CLOSED, State.FORCED_CLOSED}
        )
        if self.model.state is State.OPEN:
            assert self.machine.until == self.model.until


TestBreakerAgainstModel = BreakerAgainstModel.TestCase
TestBreakerAgainstModel.settings = settings(
    max_examples=examples(150), stateful_step_count=40, deadline=None, derandomize=REPEATABLE
)
