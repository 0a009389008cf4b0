from __future__ import annotations

import pytest

from tenuto.errors import ConfigurationError
from tenuto.policies import Backoff, Retry


def waits(clock, flaky, backoff, count=6):
    with pytest.raises(ConnectionError):
        Retry(count, backoff, clock=clock)(flaky(10**6))("x")
    return clock.sleeps


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("exponential", [1, 2, 4, 8, 10, 10]),
        ("linear", [1, 2, 3, 4, 5, 6]),
        ("fixed", [1, 1, 1, 1, 1, 1]),
        ("fibonacci", [1, 1, 2, 3, 5, 8]),
    ],
)
def test_each_shape_grows_as_it_says(clock, flaky, shape, expected):
    backoff = Backoff(shape, initial=1.0, maximum=10.0, jitter=False)
    assert waits(clock, flaky, backoff) == expected


@pytest.mark.parametrize("shape", ["exponential", "linear", "fixed", "fibonacci"])
def test_jitter_takes_off_up_to_half(clock, flaky, shape):
    longest = waits(clock, flaky, Backoff(shape, jitter=False), 40)
    jittered = waits(type(clock)(seed=3), flaky, shape, 40)
    assert all(0.5 * most <= wait <= most for wait, most in zip(jittered, longest, strict=True))
    assert len(set(jittered)) == 40
    assert max(jittered) <= 30.0


def test_decorrelated_waits_depend_on_the_wait_before(clock, flaky):
    before, seen = 0.5, waits(clock, flaky, "decorrelated", 200)
    for wait in seen:
        assert 0.5 <= wait <= min(30.0, 3 * before)
        before = wait
    assert len(set(seen)) > 20


def test_two_calls_do_not_share_a_sequence_of_waits(clock, flaky):
    policy = Retry(3, Backoff("exponential", initial=1.0, jitter=False), clock=clock)
    for _ in range(2):
        assert policy(flaky(2))("x") == "x"
    assert clock.sleeps == [1.0, 2.0, 1.0, 2.0]


def test_very_many_attempts_do_not_overflow(clock, flaky):
    assert waits(clock, flaky, Backoff("exponential", jitter=False), 2000)[-1] == 30.0
    assert waits(clock, flaky, Backoff("fibonacci", jitter=False), 2000)[-1] == 30.0


@pytest.mark.parametrize(
    "settings", [{"shape": "x"}, {"initial": -1}, {"initial": 5, "maximum": 4}]
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ConfigurationError):
        Backoff(**settings)
