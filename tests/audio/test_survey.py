"""A survey tells the same of a sound however the sound comes in blocks."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenuto.audio.sound import chunked
from tenuto.audio.survey import Surveyor, survey_of
from tests.thoroughness import REPEATABLE, examples

RATE = 16_000


def in_blocks(samples, rate, sizes):
    surveyor = Surveyor(rate, samples.shape[1])
    position = 0
    for size in [*sizes, len(samples)]:
        surveyor.see(samples[position : position + size])
        position += size
    return surveyor.survey()


@settings(max_examples=examples(60), deadline=None, derandomize=REPEATABLE)
@given(
    frames=st.integers(0, 3_000),
    channels=st.integers(1, 4),
    rate=st.sampled_from([1, 7, 50, 441, 1_000, 8_000]),
    sizes=st.lists(st.integers(0, 900), max_size=8),
    seed=st.integers(0, 99),
)
def test_it_is_that_of_the_whole(frames, channels, rate, sizes, seed):
    random = np.random.default_rng(seed)
    samples = np.round(random.uniform(-1.2, 1.2, (frames, channels)), 1).astype(np.float32)
    samples[:, -1] = samples[:, 0]
    seen = in_blocks(samples, rate, sizes)
    frame = max(1, round(0.02 * rate))
    whole = frames // frame * frame
    powers = (samples[:whole] ** 2).mean(axis=1).reshape(-1, frame).mean(axis=1)
    seconds = [samples[second : second + rate] for second in range(0, frames, rate)]
    crests = [np.abs(second).max(axis=0) for second in seconds]
    mean_powers = [np.mean(second.mean(axis=1) ** 2) for second in seconds]
    assert (seen.shape, seen.duration) == (samples.shape, frames / rate)
    assert seen.frame == frame
    np.testing.assert_allclose(seen.powers, powers, rtol=1e-6)
    np.testing.assert_array_equal(seen.crests, np.reshape(crests, (-1, channels)))
    np.testing.assert_allclose(seen.mean_powers, mean_powers, rtol=1e-4, atol=1e-9)
    np.testing.assert_array_equal(seen.peaks, np.abs(samples).max(axis=0, initial=0))
    assert seen.twins[-1] == (0 if channels > 1 else None)
    if frames:
        assert seen.level == pytest.approx(np.sqrt(np.mean(samples.astype(float) ** 2)), rel=1e-6)
        assert seen.clipped * samples.size == pytest.approx(at_a_ceiling(samples))


def at_a_ceiling(samples):
    lines = [sign * line for line in samples.T for sign in (1, -1)]
    return sum(np.count_nonzero(line >= top) for line in lines if (top := ceiling(line)))


def ceiling(line):
    top = min(line.max(), np.float32(0.999))
    if top < 0.5:
        return None
    at = line >= top
    return top if top > 0.99 or (at[1:] & at[:-1]).any() else None


@pytest.mark.parametrize("ceiling", [1.0, 0.992, 0.984, 0.980, 0.7])
def test_a_recording_may_be_clipped_below_full_scale(ceiling):
    loud = np.sin(np.arange(RATE) * 0.05)[:, None] * 2
    clipped = np.clip(loud, -1, 1) * ceiling
    share = np.mean(np.abs(loud) >= 1)
    assert survey_of(clipped.astype(np.float32), RATE).clipped == pytest.approx(share, rel=0.01)


def test_one_side_may_be_clipped_below_the_other():
    """As positive samples of 8 bits are, by one step."""
    loud = np.clip(np.sin(np.arange(RATE) * 0.05) * 2, -1, 127 / 128)[:, None]
    share = np.mean((loud < -0.999) | (loud == 127 / 128))
    assert survey_of(loud.astype(np.float32), RATE).clipped == pytest.approx(share)


@pytest.mark.parametrize("bits", [3, 8, 16])
def test_a_quiet_recording_is_not_clipped_however_few_values_it_has(bits):
    noise = np.clip(np.random.default_rng(0).standard_normal((RATE, 1)) * 0.1, -0.45, 0.45)
    few = np.round(noise * 2 ** (bits - 1)) / 2 ** (bits - 1)
    assert survey_of(few.astype(np.float32), RATE).clipped == 0


def test_the_greatest_value_of_a_loud_recording_is_no_ceiling_by_itself():
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, (RATE, 2)).astype(np.float32)
    assert survey_of(noise, RATE).clipped == 0


def test_what_an_engine_gives_in_double_precision_is_surveyed_as_well():
    samples = np.random.default_rng(0).uniform(-1, 1, (3 * RATE, 2)).astype(np.float32)
    single, double = survey_of(samples, RATE), survey_of(samples.astype(np.float64), RATE)
    assert double.crests.shape == single.crests.shape
    assert double.mean_powers == pytest.approx(single.mean_powers, rel=1e-4)


def test_channels_that_differ_late_are_no_twins():
    samples = np.random.default_rng(0).uniform(-1, 1, (1_000, 5)).astype(np.float32)
    samples[:, 1] = samples[:, 3] = samples[:, 0]
    samples[:, 4] = samples[:, 2]
    samples[-1, 3] += 0.5
    assert in_blocks(samples, 100, [300, 300]).twins == (None, 0, None, None, 2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_a_sample_that_is_no_sound_shows_in_the_peak(value):
    samples = np.zeros((500, 2), np.float32)
    samples[123, 1] = value
    survey = survey_of(samples, 100)
    assert survey.finite == (value == 3e38)
    assert survey.peaks[0] == 0
    assert not survey.peaks[1] < 1e38


def test_twelve_hours_of_sound_take_ten_megabytes_at_most():
    seconds = 60
    survey = survey_of(np.zeros((seconds * 16_000, 1), np.float32), 16_000)
    a_second = (
        sum(each.nbytes for each in (survey.powers, survey.crests, survey.mean_powers)) / seconds
    )
    assert a_second * 12 * 3600 < 10e6


def test_so_they_do_while_it_is_made_however_small_its_blocks():
    surveyor, seconds = Surveyor(48_000, 1), 120
    block = np.zeros((1024, 1), np.float32)
    taken = []
    tracemalloc.start()
    try:
        for _ in range(2):  # others in this process take some too, but no more as it goes on
            for _ in range(seconds * 48_000 // 1024):
                surveyor.see(block)
            taken.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert (taken[1] - taken[0]) / seconds < 400


@settings(max_examples=examples(60), deadline=None, derandomize=REPEATABLE)
@given(sizes=st.lists(st.integers(0, 50), max_size=20), size=st.integers(1, 60))
def test_chunks_are_all_of_the_sound_in_one_size(sizes, size):
    samples = np.arange(2 * sum(sizes), dtype=np.float32).reshape(-1, 2)
    blocks = np.split(samples, np.cumsum(sizes)) if sizes else []
    chunks = list(chunked(blocks, size))
    assert all(len(chunk) == size for chunk in chunks[:-1])
    assert all(0 < len(chunk) <= size for chunk in chunks)
    together = np.concatenate(chunks) if chunks else samples[:0]
    np.testing.assert_array_equal(together, samples)
