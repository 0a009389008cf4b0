"""Windows that do not begin at nought, and buckets that are not a second long."""

from __future__ import annotations

import pytest

from tenuto.machines import CountWindow, TimeWindow


def test_the_first_bucket_ends_where_its_kind_does_and_not_a_span_after_the_start():
    assert TimeWindow(5.0, now=100.3).turn == 100.5
    assert TimeWindow(20.0, now=3.0).turn == 4.0


def test_buckets_of_another_length_than_a_second_turn_by_their_own():
    window = TimeWindow(5.0, now=0.0)
    window.note(2, 1, now=0.7)
    assert (window.turn, window.calls, window.bad) == (1.0, 3, 1)
    window.note(0, 0, now=5.2)
    assert (window.turn, window.calls, window.bad) == (5.5, 1, 1)
    window.note(0, 0, now=5.5)
    assert (window.turn, window.calls, window.bad) == (6.0, 0, 0)


@pytest.mark.parametrize("slot", range(10, 31))
def test_after_a_long_silence_the_window_is_empty(slot):
    window = TimeWindow(10.0, now=0.0)
    window.note(1, 1, now=0.0)
    window.note(0, 0, now=float(slot))
    assert (window.calls, window.bad) == (0, 0)


@pytest.mark.parametrize(("size", "calls", "bad"), [(2, 2, 1), (3, 3, 2), (4, 4, 2), (9, 4, 2)])
def test_a_window_of_another_size_keeps_the_newest_calls_it_can_hold(size, calls, bad):
    window = CountWindow(4)
    for one in (0, 1, 0, 1):
        window.note(1 - one, one, now=0.0)
    resized = window.resized(size)
    assert (resized.calls, resized.bad) == (calls, bad)
    resized.note(size, 0, now=0.0)
    assert (resized.calls, resized.bad) == (size, 0)
