from __future__ import annotations

import pytest

from tenuto.machines import Priority, Shedder

SHEDDABLE, SHEDDABLE_PLUS, CRITICAL, CRITICAL_PLUS = Priority


@pytest.fixture
def shedder():
    return Shedder(k=2.0, seconds=120.0, now=0.0)


def note(shedder, priority, now=0.0, *, accepted=0, rejected=0):
    for _ in range(accepted):
        shedder.note(priority, now, accepted=True)
    for _ in range(rejected):
        shedder.note(priority, now, accepted=False)


def shares(shedder, now=0.0):
    """From the least important priority to the most."""
    return [shedder.share(priority, now) for priority in Priority]


def test_at_first_nothing_is_shed(shedder):
    assert shares(shedder) == [0, 0, 0, 0]


def test_while_the_dependency_accepts_its_share_nothing_is_shed(shedder):
    note(shedder, CRITICAL, accepted=50, rejected=50)
    assert shedder.rejection(0.0) == 0
    assert shares(shedder) == [0, 0, 0, 0]


def test_what_is_shed_in_all_is_the_formula_of_the_book(shedder):
    note(shedder, CRITICAL, accepted=20, rejected=79)
    assert shedder.rejection(0.0) == (99 - 2 * 20) / (99 + 1)
    assert shedder.share(CRITICAL, 0.0) == shedder.rejection(0.0)


def test_the_least_important_are_shed_first(shedder):
    for priority, calls in zip(Priority, (20, 30, 40, 9), strict=True):
        note(shedder, priority, rejected=calls)
    assert shedder.rejection(0.0) == 0.99
    note(shedder, CRITICAL_PLUS, accepted=25)  # now 50 - of 124 - may pass, and 74 / 125 is shed
    assert shares(shedder) == [1, 1, pytest.approx((124 * 74 / 125 - 50) / 40), 0]
    note(shedder, CRITICAL_PLUS, accepted=60)
    assert shares(shedder) == [pytest.approx(184 * 14 / 185 / 20), 0, 0, 0]


def test_of_a_priority_that_nobody_used_the_first_call_is_shed_before_more_important_ones(shedder):
    note(shedder, CRITICAL, accepted=10, rejected=89)
    assert shedder.share(SHEDDABLE, 0.0) == 1
    assert shedder.share(CRITICAL_PLUS, 0.0) == 0


def test_one_call_that_was_turned_away_sheds_half_of_the_next(shedder):
    note(shedder, CRITICAL, rejected=1)
    assert shares(shedder) == [0.5, 0.5, 0.5, 0]


def test_the_higher_k_the_more_is_tried(shedder):
    note(shedder, CRITICAL, accepted=20, rejected=79)
    shedder.k = 4.0
    assert shedder.rejection(0.0) == (99 - 4 * 20) / 100
    shedder.k = 5.0
    assert shedder.rejection(0.0) == 0


def test_the_window_forgets_bucket_by_bucket(shedder):
    note(shedder, SHEDDABLE, 0.0, rejected=9)
    note(shedder, CRITICAL, 12.0, rejected=10)
    assert shedder.rejection(119.9) == 19 / 20
    assert shedder.rejection(120.0) == 10 / 11
    assert shedder.counts == [0, 0, 10, 0]
    assert shedder.rejection(132.0) == 0


def test_what_came_first_is_forgotten_in_time_whenever_that_was():
    shedder = Shedder(k=2.0, seconds=120.0, now=6.0)  # in the midst of a bucket
    note(shedder, SHEDDABLE, 6.0, rejected=9)
    assert shedder.rejection(119.9) == 9 / 10
    assert shedder.rejection(120.0) == 0


def test_after_a_long_pause_nothing_is_remembered(shedder):
    for bucket in range(10):
        note(shedder, SHEDDABLE, 12.0 * bucket, accepted=3, rejected=9)
    assert sum(shedder.counts) == 120
    assert shedder.rejection(1e6) == 0
    assert (shedder.counts, shedder.accepts) == ([0, 0, 0, 0], 0)


def test_a_thread_that_read_the_clock_earlier_does_no_harm(shedder):
    note(shedder, CRITICAL, 50.0, rejected=1)
    note(shedder, CRITICAL, 47.9, accepted=1)
    assert (sum(shedder.counts), shedder.accepts) == (2, 1)
