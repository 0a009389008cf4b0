from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenuto.machines import Bucket


def taken(bucket, now, times=100):
    """How many calls may start at ``now``."""
    return sum(bucket.take(now) for _ in range(times))


def test_a_burst_and_then_the_steady_rate():
    bucket = Bucket(calls=10, per=1.0, burst=5)
    assert taken(bucket, 0.0) == 5
    assert taken(bucket, 0.05) == 0
    assert [taken(bucket, now / 10) for now in range(1, 20)] == [1] * 19


def test_after_a_pause_there_is_room_for_a_burst_again_and_no_more():
    bucket = Bucket(calls=10, per=1.0, burst=5)
    assert [taken(bucket, now) for now in (0.0, 0.2, 1000.0)] == [5, 2, 5]


@given(
    calls=st.floats(0.01, 1e6),
    per=st.floats(0.01, 1e4),
    burst=st.integers(1, 50),
    now=st.floats(0, 1e6),
)
def test_a_full_burst_fits_whatever_the_numbers(calls, per, burst, now):
    bucket = Bucket(calls, per, burst)
    assert all(bucket.take(now) for _ in range(burst))


@given(
    calls=st.integers(1, 1000),
    per=st.floats(0.1, 1e4),
    burst=st.integers(1, 50),
    now=st.floats(0, 1e6),
)
def test_who_comes_back_when_told_to_is_let_through(calls, per, burst, now):
    bucket = Bucket(calls, per, burst)
    while bucket.take(now):
        pass
    wait = bucket.wait(now)
    assert 0 < wait <= per / calls * (1 + 1e-6)
    assert bucket.wait(now + wait) == 0.0
    assert bucket.take(now + wait)


def test_who_waits_gets_a_turn_after_those_before():
    bucket = Bucket(calls=2, per=1.0, burst=1)
    assert [bucket.reserve(0.0).start for _ in range(4)] == [0.0, 0.5, 1.0, 1.5]
    assert bucket.wait(0.0) == 2.0
    assert not bucket.take(0.5)


def test_a_cheap_call_does_not_overtake_a_dear_one():
    bucket = Bucket(calls=1, per=1.0, burst=10)
    assert bucket.reserve(0.0, 8).start == 0.0
    assert bucket.reserve(0.0, 5).start == 3.0
    assert not bucket.take(0.0, 0.0)
    assert bucket.reserve(0.0, 0.0).start == 3.0


def test_once_the_last_who_waits_has_started_nobody_has_to_wait():
    bucket = Bucket(calls=1, per=1.0, burst=2)
    bucket.take(0.0, 2)
    last = bucket.reserve(0.0, 1)
    assert not bucket.take(last.start - 1e-6, 0)
    assert bucket.take(last.start - 1e-10, 0)  # no clock can tell
    assert bucket.take(last.start, 0)


def test_asking_takes_nothing():
    bucket = Bucket(calls=1, per=1.0, burst=1)
    assert [bucket.wait(0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(0.0)
    assert [bucket.wait(0.0) for _ in range(3)] == [1.0, 1.0, 1.0]


def test_what_is_dearer_than_a_burst_never_fits():
    bucket = Bucket(calls=10, per=1.0, burst=5)
    assert bucket.wait(0.0, 5.1) == math.inf
    assert not bucket.take(0.0, 5.1)
    assert bucket.take(0.0, 5.0)


def test_the_last_turn_goes_to_the_next_call_when_it_is_given_back():
    bucket = Bucket(calls=1, per=1.0, burst=1)
    bucket.take(0.0)
    turn = bucket.reserve(0.0)
    bucket.cancel(turn, 0.5)
    assert bucket.reserve(0.5).start == 1.0


def test_a_turn_given_back_amid_others_lets_nobody_start_beside_the_last():
    bucket = Bucket(calls=1, per=1.0, burst=1)
    bucket.take(0.0)
    turns = [bucket.reserve(0.0) for _ in range(3)]
    bucket.cancel(turns[1], 0.0)
    assert bucket.wait(0.0) == 4.0  # beside the third, at 3.0, there would be two at once


def test_with_room_for_a_burst_what_a_turn_cost_is_given_back_amid_others():
    bucket = Bucket(calls=1, per=1.0, burst=3)
    for _ in range(3):
        bucket.take(0.0)
    turns = [bucket.reserve(0.0) for _ in range(3)]
    bucket.cancel(turns[0], 0.0)
    assert bucket.wait(0.0) == 3.0
    bucket.cancel(turns[1], 0.0)
    assert bucket.reserve(0.0).start == 3.0  # not before the third, who was first


def test_a_turn_whose_time_has_come_is_spent():
    bucket = Bucket(calls=1, per=1.0, burst=1)
    bucket.take(0.0)
    turn = bucket.reserve(0.0)
    bucket.cancel(turn, 1.0)
    assert bucket.wait(1.0) == 1.0


def test_when_all_who_wait_leave_it_is_as_if_they_had_never_come():
    bucket = Bucket(calls=1, per=1.0, burst=2)
    bucket.take(0.0)
    bucket.take(0.0)
    for turn in [bucket.reserve(0.0) for _ in range(50)]:
        bucket.cancel(turn, 0.5)
    assert bucket.wait(0.5) == 0.5
    assert bucket.take(1.0)


def test_thousands_may_leave_at_once():
    bucket = Bucket(calls=1000, per=1.0, burst=1)
    turns = [bucket.reserve(0.0) for _ in range(20_000)]
    began = time.process_time()
    for turn in turns:
        bucket.cancel(turn, 0.0)
    bucket.wait(0.0)
    assert time.process_time() - began < 5  # one pass each would be minutes


def test_turns_that_have_passed_are_forgotten():
    bucket = Bucket(calls=1, per=1.0, burst=1)
    for now in range(1000):
        bucket.reserve(float(now))
        bucket.reserve(float(now))
        assert len(bucket._turns) <= now + 2
    assert taken(bucket, 5000.0) == 1
    assert not bucket._turns


def test_another_rate_keeps_what_is_in_the_bucket():
    bucket = Bucket(calls=1, per=1.0, burst=4)
    for _ in range(4):
        bucket.take(0.0)
    bucket.retune(calls=10, per=1.0, burst=4, now=0.0)
    assert bucket.wait(0.0) == pytest.approx(0.1)
    assert taken(bucket, 0.4) == 4
    bucket.retune(calls=10, per=1.0, burst=6, now=0.4)
    assert taken(bucket, 0.4) == 2


def test_another_rate_moves_no_turn():
    bucket = Bucket(calls=1, per=1.0, burst=1)
    bucket.take(0.0)
    kept, cancelled = bucket.reserve(0.0), bucket.reserve(0.0)
    bucket.cancel(cancelled, 0.0)
    bucket.retune(calls=100, per=1.0, burst=1, now=0.0)
    bucket.cancel(kept, 0.0)  # too late: nobody knows any more what it would give back
    assert bucket.wait(0.0) == kept.start == 1.0
    assert bucket.wait(1.0) == 0.0


def test_another_rate_for_an_idle_bucket():
    bucket = Bucket(calls=1, per=1.0, burst=1)
    bucket.retune(calls=10, per=1.0, burst=5, now=7.0)
    assert taken(bucket, 7.0) == 5
