"""Gaps are filled the same wherever the blocks of a sound are cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenuto.audio.codec.filling import filled
from tests.thoroughness import REPEATABLE, examples


def straight(samples):
    """Every channel by itself: lines across what is not a number, by numpy."""
    result = samples.copy()
    for channel in result.T:
        good = np.flatnonzero(~np.isnan(channel))
        channel[:] = np.interp(np.arange(len(channel)), good, channel[good])
    return result


@settings(max_examples=examples(200), deadline=None, derandomize=REPEATABLE)
@given(data=st.data())
def test_it_is_the_line_between_the_neighbours(data):
    frames, channels = data.draw(st.integers(2, 60)), data.draw(st.integers(1, 3))
    samples = np.random.default_rng(3).uniform(-1, 1, (frames, channels)).astype(np.float32)
    holes = st.tuples(st.integers(0, frames - 1), st.integers(1, 20), st.integers(0, channels - 1))
    for start, length, channel in data.draw(st.lists(holes, max_size=6)):
        samples[start : start + length, channel] = np.nan
    for channel in samples.T:
        if np.isnan(channel).all():
            channel[0] = 0.5
    cuts = data.draw(st.lists(st.integers(0, frames), max_size=8))
    blocks = np.split(samples, sorted(cuts))
    before = samples.copy()
    result = np.concatenate(list(filled(iter(blocks), np.isnan)))
    np.testing.assert_allclose(result, straight(samples), atol=1e-6)
    np.testing.assert_array_equal(samples, before)


def test_blocks_without_gaps_pass_as_they_are_and_at_once():
    blocks = [np.ones((4, 1), np.float32) for _ in range(3)]
    passing = filled(iter(blocks), np.isnan)
    assert next(passing) is blocks[0]


def test_no_more_is_held_back_than_the_gap():
    asked = []

    def blocks():
        for number in range(10):
            asked.append(number)
            block = np.full((4, 1), number, np.float32)
            block[:] = np.nan if 3 <= number < 6 else number
            yield block

    given_out = []
    for block in filled(blocks(), np.isnan):
        given_out.append(len(block))
        held = 4 * len(asked) - sum(given_out)
        assert held <= 12
    assert sum(given_out) == 40


@pytest.mark.parametrize("blocks", [500, 2_000])
def test_a_long_gap_is_looked_at_once_a_block(blocks):
    looked = []

    def wrong(block):
        looked.append(len(block))
        return np.isnan(block)

    gap = [np.full((8, 2), np.nan, np.float32) for _ in range(blocks)]
    ends = np.ones((8, 2), np.float32)
    assert sum(map(len, filled(iter([ends, *gap, ends]), wrong))) == 8 * (blocks + 2)
    assert sum(looked) < 4 * 8 * blocks
