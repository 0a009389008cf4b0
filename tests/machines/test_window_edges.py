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


def test_a_window_of_another_length_keeps_the_buckets_it_can_hold():
    window = TimeWindow(100.0, now=0.0)
    for bucket in range(10):
        window.note(0, 1, now=10.0 * bucket)
    longer = window.resized(1000.0, now=95.0)
    assert (longer.calls, longer.bad, longer.turn) == (10, 10, 100.0)
    shorter = window.resized(30.0, now=95.0)
    assert (shorter.bad, shorter.turn) == (3, 96.0)
    shorter.note(0, 0, now=97.0)
    assert shorter.bad == 3
    shorter.note(0, 0, now=130.0)
    assert shorter.bad == 0


def test_a_window_of_the_same_length_stays_what_it_is():
    window = TimeWindow(10.0, now=3.0)
    window.note(2, 1, now=4.5)
    same = window.resized(10.0, now=4.5)
    assert (same.calls, same.bad, same.turn) == (3, 1, 5.0)
    same.note(0, 0, now=13.0)
    assert (same.calls, same.bad) == (1, 1)


def test_a_longer_time_window_keeps_every_call_and_each_at_its_time():
    window = TimeWindow(10.0, now=0.0)
    for second in range(4):
        window.note(0, second + 1, now=float(second))
        window.note(1, 0, now=float(second))
    longer = window.resized(20.0, now=3.0)  # buckets of two seconds
    assert (longer.calls, longer.bad) == (14, 10)
    longer.note(0, 0, now=20.0)
    assert (longer.calls, longer.bad) == (9, 7)
    longer.note(0, 0, now=22.0)
    assert (longer.calls, longer.bad) == (0, 0)


def test_a_shorter_time_window_keeps_the_newest_calls_only():
    window = TimeWindow(20.0, now=0.0)
    window.note(1, 1, now=1.0)
    window.note(0, 2, now=5.0)
    shorter = window.resized(10.0, now=14.0)
    assert (shorter.calls, shorter.bad) == (2, 2)
