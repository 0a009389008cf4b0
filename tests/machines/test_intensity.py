from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tenuto.machines import Intensity


def test_one_restart_in_five_seconds_is_allowed_two_are_not():
    intensity = Intensity()
    assert not intensity.on(0.0)
    assert intensity.on(5.0)
    assert not intensity.on(10.1)


def test_no_restart_allowed_means_the_first_escalates():
    assert Intensity(limit=0, seconds=1.0).on(7.0)


@given(st.integers(0, 4), st.lists(st.integers(0, 6), max_size=40))
def test_it_escalates_exactly_when_more_than_the_limit_fall_into_the_time(limit, pauses):
    intensity, now, times = Intensity(limit, seconds=10.0), 0, []
    for pause in pauses:
        now += pause
        times.append(now)
        recent = [when for when in times if now - when <= 10]
        assert intensity.on(float(now)) is (len(recent) > limit)
