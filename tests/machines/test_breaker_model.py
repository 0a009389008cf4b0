"""The breaker against a plain model that keeps a list of everything that happened."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tenuto.machines import Breaker, BreakerSettings, Decision, Event, Probe, State

THRESHOLD, TIMEOUT, CAP, PERMITS, RATE, WINDOW, MINIMUM = 3, 10, 40, 2, 0.6, 8, 5


class Model:
    """What a careful reader of the documentation would write down, without any cleverness."""

    def __init__(self):
        self.era = 0
        self.now = 0
        self.close(State.CLOSED)

    def close(self, state):
        self.era += 1
        self.state, self.results, self.failed_probes = state, [], 0

    def open(self, state, seconds):
        self.era += 1
        self.state, self.until = state, self.now + seconds

    def admit(self):
        if self.state is State.OPEN and self.now >= self.until:
            self.era += 1
            self.state, self.out, self.good = State.HALF_OPEN, 0, 0
        if self.state is State.HALF_OPEN:
            if self.out + self.good == PERMITS:
                return None
            self.out += 1
            return self.era
        return self.era if self.state in {State.CLOSED, State.FORCED_CLOSED} else None

    def settle(self, era, event):
        if era != self.era:
            return
        if self.state is State.HALF_OPEN:
            self.out -= 1
            if event is Event.FAILED:
                self.failed_probes += 1
                self.open(State.OPEN, min(CAP, TIMEOUT * 2**self.failed_probes))
            elif event is Event.SUCCEEDED:
                self.good += 1
                if self.good == PERMITS:
                    self.close(State.CLOSED)
        elif self.state is State.CLOSED and event is not Event.RELEASED:
            self.results.append(event is Event.FAILED)
            recent = self.results[-WINDOW:]
            in_a_row = len(self.results) >= THRESHOLD and all(self.results[-THRESHOLD:])
            too_often = len(recent) >= MINIMUM and sum(recent) >= RATE * len(recent)
            if event is Event.FAILED and (in_a_row or too_often):
                self.open(State.OPEN, TIMEOUT)


class BreakerAgainstModel(RuleBasedStateMachine):
    calls = Bundle("calls")

    def __init__(self):
        super().__init__()
        self.model = Model()
        self.machine = Breaker(
            BreakerSettings(
                failure_threshold=THRESHOLD,
                timeout=TIMEOUT,
                max_timeout=CAP,
                permits=PERMITS,
                failure_rate=RATE,
                window_calls=WINDOW,
                minimum_calls=MINIMUM,
            ),
            0,
        )

    @rule(seconds=st.integers(0, 25))
    def time_passes(self, seconds):
        self.model.now += seconds

    @rule(target=calls)
    def a_call_starts(self):
        permit, era = self.machine.admit(self.model.now), self.model.admit()
        assert (permit is None) == (era is None)
        return permit, era

    @rule(call=consumes(calls), event=st.sampled_from(["SUCCEEDED", "FAILED", "RELEASED"]))
    def a_call_ends(self, call, event):
        permit, era = call
        if permit is None:
            return
        late = era != self.model.era
        decision = self.machine.on(Event[event], self.model.now, permit)
        self.model.settle(era, Event[event])
        assert (decision is Decision.LATE) == late
        if isinstance(permit, Probe):  # a permit is worth nothing the second time
            assert self.machine.on(Event[event], self.model.now, permit) is Decision.LATE

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
    max_examples=150, stateful_step_count=40, deadline=None, derandomize=True
)
