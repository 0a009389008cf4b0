"""Sound above an engine's band is kept, as loud as it deserves."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

from tenuto.audio.engines.dtln import Dtln

from .conftest import at_rate, runnable
from .fakes import FakeEngine

RATE = 48_000


def noise(seconds, seed=0):
    rng = np.random.default_rng(seed)
    return (0.2 * rng.standard_normal((round(seconds * RATE), 1))).astype(np.float32)


def level_above(samples, edge):
    upper = sosfilt(butter(8, edge, "highpass", fs=RATE, output="sos"), samples[:, 0])
    return np.sqrt(np.mean(upper**2))


def test_an_engine_that_changes_nothing_leaves_the_whole_band():
    samples = noise(2)
    enhanced = FakeEngine(native_rate=16_000, hop=128, delay=384).enhance(samples, RATE)
    np.testing.assert_allclose(enhanced, samples, atol=1e-5)


def test_hiss_above_the_band_falls_with_the_hiss_in_it():
    samples = noise(2)
    quieter = FakeEngine(change=lambda block: block * 0.1, native_rate=16_000)
    enhanced = quieter.enhance(samples, RATE)
    ratio = level_above(enhanced[RATE:], 10_000) / level_above(samples[RATE:], 10_000)
    assert 0.08 < ratio < 0.12


def test_an_engine_that_gets_louder_does_not_raise_the_hiss():
    samples = noise(1)
    louder = FakeEngine(change=lambda block: block * 1.5, native_rate=16_000)
    enhanced = louder.enhance(samples, RATE)
    assert level_above(enhanced, 10_000) < 1.02 * level_above(samples, 10_000)


def test_a_16_khz_engine_quietens_the_pauses_of_a_48_khz_recording_above_8_khz(speech):
    """White noise through the whole band; the speech ends at 8 kHz."""
    dtln = runnable(Dtln)
    pause = np.zeros(RATE, np.float32)
    clean = np.concatenate((at_rate(speech, RATE), pause))
    samples = (clean + noise(len(clean) / RATE)[: len(clean), 0] * np.float32(0.05))[:, None]
    enhanced = dtln.enhance(samples, RATE)
    rest = slice(-RATE // 2, None)
    assert level_above(enhanced[rest], 10_000) < 0.2 * level_above(samples[rest], 10_000)
    assert level_above(enhanced[:-RATE], 10_000) > 2 * level_above(enhanced[rest], 10_000)
