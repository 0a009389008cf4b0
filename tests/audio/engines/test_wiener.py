"""The filter that needs nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tenuto.audio.engines.wiener import Wiener

from .conftest import RATE, pink_noise


def rms(samples):
    return np.sqrt(np.mean(samples**2))


def test_steady_noise_is_turned_down_all_through_a_long_recording():
    noise = 0.1 * pink_noise(30 * RATE, seed=1)[:, None]
    enhanced = Wiener().enhance(noise, RATE)
    seconds = zip(noise.reshape(30, RATE), enhanced.reshape(30, RATE), strict=True)
    assert all(rms(after) < 0.35 * rms(before) for before, after in seconds)


def test_noise_that_gets_louder_is_followed():
    noise = 0.02 * pink_noise(60 * RATE, seed=2)[:, None]
    noise[30 * RATE :] *= 5
    enhanced = Wiener().enhance(noise, RATE)
    assert rms(enhanced[45 * RATE :]) < 0.35 * rms(noise[45 * RATE :])


def test_digital_silence_is_no_sample_of_the_noise():
    """A recorder that gates leaves zeros between the words, and noise under them."""
    noise = 0.1 * pink_noise(16 * RATE, seed=3)[:, None]
    gated = noise.copy()
    gated.reshape(-1, RATE)[1::2] = 0.0
    enhanced = Wiener().enhance(gated, RATE)
    sounding = gated[:, 0] != 0
    assert rms(enhanced[sounding]) < 0.4 * rms(gated[sounding])


def test_a_long_gap_of_zeros_stays_one():
    noise = 0.1 * pink_noise(60 * RATE, seed=4)[:, None]
    noise[10 * RATE : 50 * RATE] = 0.0
    enhanced = Wiener().enhance(noise, RATE)
    assert np.isfinite(enhanced).all()
    assert not enhanced[11 * RATE : 49 * RATE].any()


@pytest.mark.parametrize(
    "samples",
    [
        np.ones(RATE),
        np.resize([1.0, -1.0], RATE),
        np.eye(1, RATE, 500)[0],
        np.linspace(0, 1e-5, RATE),
        np.full(RATE, 2.0**31),
    ],
    ids=["constant", "nyquist", "click", "faint ramp", "huge constant"],
)
def test_it_does_not_fail_on_any_finite_sound(samples):
    enhanced = Wiener().enhance(samples.astype(np.float32)[:, None], RATE)
    assert np.isfinite(enhanced).all()
    assert np.abs(enhanced).max() <= 1.5 * np.abs(samples).max()
