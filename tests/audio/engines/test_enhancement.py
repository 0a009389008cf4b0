"""What every engine does to speech."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile

from .conftest import RATE, READINGS, at_rate, lag_seconds, si_sdr


def mono(samples):
    return samples[:, None]


def test_noisy_speech_comes_closer_to_clean_speech(enhancer, speech, noisy):
    enhanced = enhancer.enhance(mono(noisy), RATE)[:, 0]
    assert si_sdr(speech, enhanced) > si_sdr(speech, noisy) + 2


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_the_output_is_in_time_with_the_input(enhancer, speech, noisy, rate):
    enhanced = enhancer.enhance(mono(at_rate(noisy, rate)), rate)[:, 0]
    assert abs(lag_seconds(at_rate(speech, rate), enhanced, rate)) < 0.001


@pytest.mark.parametrize("rate", [4_000, 8_000, 16_000, 44_100, 48_000, 192_000])
def test_shape_and_type_are_kept_at_any_rate(engine, noisy, rate):
    samples = mono(at_rate(noisy[:8_000], rate))
    enhanced = engine.enhance(samples, rate)
    assert enhanced.shape == samples.shape
    assert enhanced.dtype == np.float32
    assert np.isfinite(enhanced).all()


def test_an_odd_rate_and_length_are_kept(enhancer, noisy):
    samples = mono(at_rate(noisy, 11_027)[:12_345])
    assert enhancer.enhance(samples, 11_027).shape == samples.shape


@pytest.mark.parametrize("frames", [1, 2, 100])
def test_a_sound_of_a_few_samples_keeps_its_length(engine, frames):
    samples = np.full((frames, 1), 0.1, np.float32)
    for rate in (8_000, 192_000):
        assert engine.enhance(samples, rate).shape == (frames, 1)


@pytest.mark.parametrize(
    "reading",
    ["01 had then leisure.wav", "07 telephone.wav", "12 studio.flac", "14 camera.wav"],
)
def test_the_output_never_begins_louder_than_the_input(enhancer, reading):
    samples, rate = soundfile.read(READINGS / reading, dtype="float32", always_2d=True)
    samples = np.ascontiguousarray(samples[: 3 * rate, :1])
    enhanced = enhancer.enhance(samples, rate)
    for seconds in (0.001, 0.01, 0.05):
        beginning = slice(round(seconds * rate))
        assert np.abs(enhanced[beginning]).max() <= np.abs(samples[beginning]).max()


def test_a_recording_that_begins_silent_comes_out_so(enhancer, speech):
    """Not even a trace of what is said two seconds later may be heard in its first moments."""
    word = speech[np.argmax(np.abs(speech)) :][: RATE // 4]
    samples = np.zeros((3 * RATE, 1), np.float32)
    samples[2 * RATE - len(word) : 2 * RATE, 0] = word[::-1]  # loudest just there
    enhanced = enhancer.enhance(samples, RATE)
    assert np.abs(enhanced[:RATE]).max() < 1e-3 * np.abs(word).max()


def test_silence_stays_silence(engine):
    samples = np.zeros((RATE, 2), np.float32)
    np.testing.assert_array_equal(engine.enhance(samples, RATE), samples)


def test_the_input_is_left_as_it_is(enhancer, noisy):
    samples = mono(noisy[:RATE].copy())
    samples.flags.writeable = False
    before = samples.copy()
    enhancer.enhance(samples, RATE)
    np.testing.assert_array_equal(samples, before)


@pytest.mark.parametrize("level", [1e-3, 32_768.0])
def test_the_level_does_not_matter(enhancer, noisy, level):
    """A faint recording, and integers that were taken for floats."""
    normal = enhancer.enhance(mono(noisy * np.float32(1 / np.abs(noisy).max())), RATE)
    other = enhancer.enhance(mono(noisy * np.float32(level)), RATE)
    assert si_sdr(normal[:, 0], other[:, 0]) > 15
    assert np.abs(other).max() == pytest.approx(np.abs(noisy).max() * level, rel=0.5)


def test_the_same_input_gives_the_same_output_in_threads(enhancer, noisy):
    samples = mono(noisy[: 2 * RATE])
    alone = enhancer.enhance(samples, RATE)
    with ThreadPoolExecutor(2) as pool:
        for together in pool.map(lambda _: enhancer.enhance(samples, RATE), range(2)):
            np.testing.assert_array_equal(together, alone)


def test_a_result_can_be_written_into_an_array_of_the_callers(engine, noisy):
    samples = mono(noisy[:RATE])
    out = np.empty_like(samples)
    assert engine.enhance(samples, RATE, out=out) is out
    np.testing.assert_array_equal(out, engine.enhance(samples, RATE))
