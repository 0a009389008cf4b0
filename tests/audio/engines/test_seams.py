"""A sound in chunks comes out as the sound in one piece does, and nobody can hear the seams."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import istft, oaconvolve, stft

from tenuto.audio.engines import Engine
from tenuto.audio.sound import chunked
from tenuto.audio.survey import survey_of
from tenuto.errors import EngineError
from tests.thoroughness import REPEATABLE

from .conftest import RATE, at_rate, si_sdr


def in_chunks(engine, samples, rate, frames):
    stream = engine.stream(chunked([samples], frames), survey_of(samples, rate))
    return np.concatenate(list(stream))


@pytest.mark.parametrize(("rate", "seconds"), [(16_000, 1 / 16), (44_100, 0.37)])
def test_where_the_state_is_carried_the_cuts_change_not_one_sample(enhancer, noisy, rate, seconds):
    times, channels = (2, 1) if REPEATABLE else (20, 2)
    long = np.tile(at_rate(noisy, rate), times)
    samples = np.stack([np.roll(long, 777 * channel) for channel in range(channels)], axis=1)
    whole = in_chunks(enhancer, samples, rate, len(samples))
    cut = in_chunks(enhancer, samples, rate, round(seconds * rate))
    np.testing.assert_array_equal(cut, whole)


class SpectralGate(Engine):
    """Wants each sound as a whole, and learns the noise from all of it."""

    name = tier = "gate"
    native_rate = None

    def enhance(self, samples, rate, *, out=None):
        spectrum = stft(samples, rate, nperseg=512, axis=0)[2]
        power = np.abs(spectrum) ** 2
        floor = np.percentile(power, 20, axis=-1, keepdims=True)
        gain = np.clip(1 - 2 * floor / np.maximum(power, 1e-12), 0.1, 1)
        result = istft(spectrum * gain, rate, nperseg=512, time_axis=-1, freq_axis=0)[1]
        return result.T.astype(np.float32)[: len(samples)]


class Delaying(SpectralGate):
    """Forgets after half a second: what it does at a moment depends on that only."""

    def enhance(self, samples, rate, *, out=None):
        decay = np.exp(-np.arange(rate // 2) / (rate / 40)).astype(np.float32)
        decay /= decay.sum()
        return oaconvolve(samples, decay[:, None], axes=0)[: len(samples)].astype(np.float32)


@pytest.fixture
def minute(noisy):
    """With the noise of a place that stays the same, shape (frames, 1)."""
    return np.tile(noisy, 20)[: 60 * RATE, None]


def test_an_engine_that_forgets_within_the_overlap_gives_the_same_in_chunks(minute):
    whole = Delaying().enhance(minute, RATE)
    cut = in_chunks(Delaying(), minute, RATE, 4 * RATE)
    np.testing.assert_allclose(cut, whole, atol=1e-6)


def test_an_engine_that_learns_from_the_whole_gives_much_the_same_in_chunks(minute):
    whole = SpectralGate().enhance(minute, RATE)[:, 0]
    cut = in_chunks(SpectralGate(), minute, RATE, 10 * RATE)[:, 0]
    assert si_sdr(whole, cut) > 20


def test_no_seam_is_louder_or_sharper_than_the_sound_between(minute):
    """Of an engine that is worst at it: each chunk comes out at a level of its own."""

    class Levelling(SpectralGate):
        def enhance(self, samples, rate, *, out=None):
            return samples * np.float32(0.1 / np.sqrt(np.mean(samples**2)))

    chunk = 5 * RATE
    louder = minute * np.repeat(np.geomspace(0.3, 1.0, 12), chunk)[:, None].astype(np.float32)
    cut = in_chunks(Levelling(), louder, RATE, chunk)[:, 0]
    reference = louder[:, 0]
    seams = range(chunk, len(cut), chunk)
    step = RATE // 20
    for seam in seams:
        fade = slice(seam - step, seam)
        gain = cut[fade] / np.where(reference[fade] == 0, 1, reference[fade])
        gain = gain[np.abs(reference[fade]) > 1e-3]
        # From one gain to the next in a straight line: no step, no bump, no hole.
        assert np.abs(np.diff(gain)).max() < 0.02 * gain.mean()
        assert gain.min() > 0.99 * min(gain[0], gain[-1])
        assert gain.max() < 1.01 * max(gain[0], gain[-1])
    jumps = np.abs(np.diff(cut))
    at_the_seams = max(jumps[seam - step - 1 : seam + 1].max() for seam in seams)
    assert at_the_seams <= jumps.max()


def test_what_changes_nothing_comes_through_the_overlaps_as_it_was(minute):
    class Nothing(SpectralGate):
        def enhance(self, samples, rate, *, out=None):
            return samples

    for frames in (4 * RATE, 7 * RATE + 1, 60 * RATE):
        cut = in_chunks(Nothing(), minute, RATE, frames)
        np.testing.assert_allclose(cut, minute, atol=1e-6)


def test_a_last_chunk_of_one_frame_is_no_harm(minute):
    odd = minute[: 8 * RATE + 1]
    assert in_chunks(SpectralGate(), odd, RATE, 4 * RATE).shape == odd.shape


@pytest.mark.parametrize("wrong", [lambda s: s[:-1], lambda s: s[:, :0], lambda s: s * np.nan])
def test_a_result_that_does_not_fit_is_the_engines_failure(minute, wrong):
    class Wrong(SpectralGate):
        def enhance(self, samples, rate, *, out=None):
            return wrong(samples)

    with pytest.raises(EngineError, match="gate returned"):
        in_chunks(Wrong(), minute, RATE, 4 * RATE)


def test_a_chunk_is_as_long_as_its_memory_allows_and_no_shorter_than_its_overlaps():
    class Hungry(SpectralGate):
        memory_per_second = 64 * 2**20

    assert SpectralGate().chunk_frames(RATE, 1)[1] > 300 * RATE
    assert SpectralGate().chunk_frames(48_000, 2)[1] > 60 * 48_000
    assert Hungry().chunk_frames(RATE, 1) == (4 * RATE, 4 * RATE)
