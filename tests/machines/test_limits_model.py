"""Limits against plain models, which are told of every call one by one and keep everything."""

from __future__ import annotations

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tenuto.machines import Aimd, Gradient, LimitSettings
from tests.thoroughness import REPEATABLE, examples


class Model:
    """By the book, on lists of ``(latency, free)``."""

    def __init__(self, low, high, initial, tolerance):
        self.low, self.high, self.tolerance = low, high, tolerance
        self.exact, self.limit = float(initial), initial
        self.number = self.lowered = 0
        self.calls = []

    def ended(self, number, latency, free):
        if number != self.number:
            return
        self.calls.append((latency, free))
        if len(self.calls) < max(5, self.limit):
            return
        latencies, frees = zip(*self.calls, strict=True)
        self.judge(sum(latencies) / len(latencies), min(frees) <= self.limit / 2)

    def overload(self, number):
        if number >= self.lowered:
            self.exact *= 0.7
            self.next()
            self.lowered = self.number

    def next(self, limit=None):
        self.exact = min(max(self.exact, self.low), self.high)
        self.limit = max(self.low, math.floor(self.exact if limit is None else limit))
        self.number += 1
        self.calls = []


class AimdModel(Model):
    machine = Aimd

    def judge(self, latency, used):
        self.exact += used
        self.next()


class GradientModel(Model):
    machine = Gradient

    def __init__(self, *args):
        super().__init__(*args)
        self.seen = []  # average latencies since the last measurement
        self.measuring = None
        self.strained = 30

    def judge(self, latency, used):
        if self.measuring == self.number:
            self.seen, self.strained = [latency], 0
            self.next()
            return
        first = not self.seen
        self.seen.append(latency)
        normal = self.tolerance * min(self.seen)
        if latency > normal:
            self.strained += 1
        elif not first:
            self.strained = 0
        if used and not first:
            gradient = 1 if latency <= normal else max(0.5, normal / latency)
            wanted = gradient * self.exact + math.sqrt(self.exact)
            self.exact = 0.8 * self.exact + 0.2 * wanted
        if used and self.strained >= 30:
            self.measuring = self.number + 1
            self.next(self.exact / 4)
        else:
            self.next()


class LimitAgainstModel(RuleBasedStateMachine):
    model: type[Model]

    @initialize(
        low=st.integers(1, 5),
        initial=st.integers(5, 30),
        high=st.integers(30, 60),
        tolerance=st.sampled_from([1.0, 1.5, 2.0]),
    )
    def begin(self, low, initial, high, tolerance):
        self.machine = self.model.machine(LimitSettings(low, high, tolerance), initial)
        self.naive = self.model(low, high, initial, tolerance)
        self.inside = []  # calls under way: the round of each, and its number

    @rule(count=st.integers(1, 40))
    def calls_begin(self, count):
        count = min(count, self.machine.limit - len(self.inside))
        self.inside += [(self.machine.round, self.naive.number)] * count

    def _ends(self, index, latency):
        begun, number = self.inside.pop(index % len(self.inside))
        free = max(0, self.machine.limit - len(self.inside) - 1)
        if begun is self.machine.round and begun.note(latency, free):
            self.machine.turn(begun)
        self.naive.ended(number, latency, free)

    @precondition(lambda self: self.inside)
    @rule(index=st.integers(0, 99), latency=st.sampled_from([0.0, 0.5, 1.0, 1.5, 4.0]))
    def a_call_goes_well(self, index, latency):
        self._ends(index, latency)

    @rule(count=st.integers(1, 200), latency=st.sampled_from([0.5, 1.0, 4.0]))
    def many_go_well_and_others_begin(self, count, latency):
        for _ in range(count):
            self.calls_begin(40)
            self._ends(0, latency)

    @precondition(lambda self: self.inside)
    @rule(index=st.integers(0, 99))
    def a_call_meets_overload(self, index):
        begun, number = self.inside.pop(index % len(self.inside))
        self.machine.drop(begun)
        self.naive.overload(number)

    @precondition(lambda self: self.inside)
    @rule(index=st.integers(0, 99))
    def a_call_proves_nothing(self, index):
        self.inside.pop(index % len(self.inside))

    @invariant()
    def both_say_the_same(self):
        assert self.machine.limit == self.naive.limit
        assert self.machine.round.number == self.naive.number

    @invariant()
    def it_keeps_to_its_bounds(self):
        assert self.naive.low <= self.machine.limit <= self.naive.high


@pytest.mark.parametrize("model", [AimdModel, GradientModel])
def test_a_limit_does_what_its_model_does(model):
    class AgainstModel(LimitAgainstModel):
        pass

    AgainstModel.model = model
    case = AgainstModel.TestCase
    case.settings = settings(
        max_examples=examples(100), stateful_step_count=40, deadline=None, derandomize=REPEATABLE
    )
    case("runTest").runTest()
