"""Buckets that are not a second long."""

from __future__ import annotations

import pytest

from tenuto.machines import Priority, Shedder


@pytest.mark.parametrize(("first", "second", "late"), [(0.0, 0.7, 5.1), (0.7, 1.2, 5.6)])
def test_a_call_leaves_the_window_with_its_own_bucket(first, second, late):
    shedder = Shedder(k=2.0, seconds=5.0, now=0.0)
    for now in (first, second):
        shedder.note(Priority.CRITICAL, now, accepted=True)
    shedder.rejection(late)
    assert sum(shedder.counts) == shedder.accepts == 1
    shedder.rejection(late + 0.5)
    assert sum(shedder.counts) == shedder.accepts == 0


@pytest.mark.parametrize("slot", range(10, 31))
def test_after_a_long_silence_the_window_is_empty(slot):
    shedder = Shedder(k=2.0, seconds=10.0, now=0.0)
    shedder.note(Priority.CRITICAL, 0.0, accepted=True)
    shedder.rejection(float(slot))
    assert (shedder.counts, shedder.accepts) == ([0, 0, 0, 0], 0)
