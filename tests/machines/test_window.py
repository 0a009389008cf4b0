from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from tenuto.machines import CountWindow, TimeWindow


@given(
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 15)), max_size=30),
)
def test_a_count_window_agrees_with_a_list_of_the_last_calls(size, lumps):
    window, plain = CountWindow(size), deque(maxlen=size)
    for successes, failures in lumps:
        window.note(successes, failures, now=0.0)
        plain.extend([False] * successes + [True] * failures)
        assert window.calls == len(plain)
        assert window.bad == sum(plain)


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 5), st.integers(0, 3)),
        max_size=30,
    )
)
def test_a_time_window_agrees_with_a_list_of_dated_calls(moves):
    """Ten buckets of one second; successes are reported before their bucket is left."""
    window, now, dated = TimeWindow(10.0, now=0.0), 0, []
    for pause, successes, failures in moves:
        dated += [(now, False)] * successes
        now += pause
        dated += [(now, True)] * failures
        window.note(successes, failures, now=float(now))
        recent = [failed for when, failed in dated if when > now - 10]
        assert window.calls == len(recent)
        assert window.bad == sum(recent)
        assert window.turn == now + 1


def test_a_time_that_goes_back_empties_nothing():
    window = TimeWindow(10.0, now=100.0)
    window.note(3, 1, now=100.0)
    window.note(0, 1, now=95.0)
    assert (window.calls, window.bad, window.turn) == (5, 2, 101.0)


def test_a_count_window_never_asks_to_be_turned():
    assert CountWindow(5).turn == float("inf")
