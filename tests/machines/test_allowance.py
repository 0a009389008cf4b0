"""An error budget for a batch that ends: doomed batches are seen early, healthy ones never end."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenuto.machines import Allowance, Prospect

ALL = (Prospect.OPEN, Prospect.DOOMED, Prospect.SPENT)


def chance_of_an_alarm(inputs: int, bad: int, allowance: Allowance) -> Fraction:
    """Exactly: over all orders in which ``bad`` of ``inputs`` can come, looking after each."""
    silent = {0: Fraction(1)}  # by how many bad ones were seen, with no alarm so far
    for ended in range(inputs):
        coming: dict[int, Fraction] = {}
        for seen, chance in silent.items():
            share = Fraction(bad - seen, inputs - ended)
            for more, part in ((1, share), (0, 1 - share)):
                if part and allowance.prospect(ended + 1, seen + more) is Prospect.OPEN:
                    coming[seen + more] = coming.get(seen + more, Fraction(0)) + chance * part
        silent = coming
    return 1 - sum(silent.values())


@given(st.integers(1, 40), st.data())
def test_a_batch_within_its_budget_is_stopped_by_chance_less_often_than_the_risk(inputs, data):
    allowed = data.draw(st.integers(0, inputs))
    bad = data.draw(st.integers(0, allowed))
    risk = data.draw(st.sampled_from((0.3, 0.05, 0.001)))
    assert chance_of_an_alarm(inputs, bad, Allowance(inputs, allowed, risk)) <= risk


def test_the_worst_batch_within_the_budget_comes_near_the_risk():
    """The bound is not idle: with a great risk there are alarms, and fewer than that."""
    allowance = Allowance(inputs=60, allowed=12, risk=0.3)
    assert 0.03 < chance_of_an_alarm(60, 12, allowance) <= 0.3
    assert chance_of_an_alarm(60, 6, allowance) < chance_of_an_alarm(60, 12, allowance)


@given(st.integers(1, 200), st.data())
def test_one_more_than_may_be_is_the_end_whatever_the_chance(inputs, data):
    allowed = data.draw(st.integers(0, inputs - 1))
    ended = data.draw(st.integers(allowed + 1, inputs))
    allowance = Allowance(inputs, allowed, risk=1e-300)
    assert allowance.prospect(ended, allowed + 1) is Prospect.SPENT
    assert allowance.prospect(ended, allowed) is Prospect.OPEN


@given(st.integers(1, 200), st.data())
def test_a_bad_input_more_never_makes_it_look_better(inputs, data):
    allowance = Allowance(inputs, data.draw(st.integers(0, inputs)), risk=0.01)
    ended = data.draw(st.integers(1, inputs))
    seen = [ALL.index(allowance.prospect(ended, bad)) for bad in range(ended + 1)]
    assert seen == sorted(seen)


@given(st.integers(1, 200), st.data())
def test_as_many_as_the_share_allows_are_no_evidence(inputs, data):
    allowed = data.draw(st.integers(0, inputs))
    ended = data.draw(st.integers(0, inputs))
    bad = data.draw(st.integers(0, allowed * ended // inputs))
    assert Allowance(inputs, allowed, risk=0.99).prospect(ended, bad) is Prospect.OPEN


def test_a_batch_five_times_as_bad_is_seen_after_a_small_part_of_it():
    chance = random.Random(7)
    batch = [True] * 5_000 + [False] * 95_000
    chance.shuffle(batch)
    allowance, bad = Allowance(100_000, 1_000, risk=1e-6), 0
    for ended, failed in enumerate(batch, 1):
        bad += failed
        if allowance.prospect(ended, bad) is not Prospect.OPEN:
            break
    assert allowance.prospect(ended, bad) is Prospect.DOOMED
    assert ended < 2_000


def test_the_evidence_is_that_of_the_two_ways_to_explain_the_sample():
    allowance = Allowance(inputs=10, allowed=2, risk=0.05)
    # Two bad ones and then a good one: 2/10 · 1/9 · 8/8, against 1/2 · 3/4 · 1/6.
    worst, mixture = 2 / 10 * 1 / 9 * 8 / 8, 1 / 2 * 3 / 4 * 1 / 6
    assert allowance.evidence(3, 2) == pytest.approx(math.log(mixture / worst))
    assert allowance.evidence(0, 0) == pytest.approx(0.0)
    assert allowance.evidence(8, 0) < math.inf  # the two bad ones may be the last
    assert allowance.evidence(9, 0) == allowance.evidence(3, 3) == math.inf


def test_the_alarm_comes_when_the_evidence_reaches_the_risk():
    evidence = Allowance(10, 2, risk=0.5).evidence(3, 2)
    assert Allowance(10, 2, risk=math.exp(-evidence) * 1.001).prospect(3, 2) is Prospect.DOOMED
    assert Allowance(10, 2, risk=math.exp(-evidence) * 0.999).prospect(3, 2) is Prospect.OPEN
