"""Turns that were given back, and calls that are a grain of time too early."""

from __future__ import annotations

import pytest

from tenuto.machines import Bucket


@pytest.fixture
def bucket():
    """One call a second; the next one is spoken for, and starts at 1."""
    bucket = Bucket(1, 1.0, 1)
    assert bucket.take(0.0)
    return bucket


def test_the_place_of_a_turn_that_was_given_back_is_taken_at_once(bucket):
    turn = bucket.reserve(0.0)
    bucket.cancel(turn, 0.5)
    assert bucket.take(1.0)
    assert not bucket.take(1.0)


@pytest.mark.parametrize("now", [1.0, 1.0 - 1e-9])
def test_nobody_is_overtaken_at_the_last_moment_of_a_wait(bucket, now):
    assert bucket.reserve(0.0).start == 1.0
    assert bucket.take(now, cost=0.0)


def test_before_that_a_call_that_costs_nothing_waits_as_well(bucket):
    bucket.reserve(0.0)
    assert not bucket.take(0.9, cost=0.0)
