"""A sentence of real speech, noise to spoil it, and the engines that can run here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from tenuto.audio.engines.deepfilternet import DeepFilterNet
from tenuto.audio.engines.dtln import Dtln
from tenuto.audio.engines.original import Original
from tenuto.audio.engines.rnnoise import RNNoise
from tenuto.audio.engines.wiener import Wiener

ENHANCERS = (DeepFilterNet, Dtln, RNNoise, Wiener)
RATE = 16_000
READINGS = Path(__file__).parents[3] / "samples" / "readings"


def runnable(engine_class):
    engine = engine_class()
    if (remedy := engine.missing()) is not None:
        pytest.skip(f"{engine.name} is not installed: {remedy}")
    return engine


@pytest.fixture(params=ENHANCERS, ids=lambda engine: engine.name)
def enhancer(request):
    """Every engine that changes anything."""
    return runnable(request.param)


@pytest.fixture(params=(*ENHANCERS, Original), ids=lambda engine: engine.name)
def engine(request):
    """Every engine."""
    return runnable(request.param)


@pytest.fixture(scope="session")
def speech():
    """3.3 s of clean speech at 16 kHz."""
    samples, rate = soundfile.read(Path(__file__).parent / "data/speech.flac", dtype="float32")
    assert rate == RATE
    return samples


@pytest.fixture(scope="session")
def noisy(speech):
    """The same at 5 dB above pink noise."""
    noise = pink_noise(len(speech), seed=3)
    ratio = np.sqrt(np.mean(speech**2) / np.mean(noise**2)) * 10 ** (-5 / 20)
    return (speech + ratio * noise).astype(np.float32)


def pink_noise(frames, seed):
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(frames))
    frequencies = np.maximum(np.fft.rfftfreq(frames, 1 / RATE), 30)
    return np.fft.irfft(spectrum / np.sqrt(frequencies), frames).astype(np.float32)


def at_rate(samples, rate):
    return soxr.resample(samples, RATE, rate).astype(np.float32)


def si_sdr(reference, estimate):
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al., ICASSP 2019)."""
    reference, estimate = reference - reference.mean(), estimate - estimate.mean()
    target = (reference @ estimate) / (reference @ reference) * reference
    return 10 * np.log10(np.sum(target**2) / np.sum((estimate - target) ** 2))


def lag_seconds(reference, delayed, rate):
    """By how much ``delayed`` lags behind, from the peak of the cross-correlation."""
    size = 2 * len(reference)
    products = np.fft.rfft(delayed, size) * np.conj(np.fft.rfft(reference, size))
    lag = int(np.argmax(np.abs(np.fft.irfft(products, size))))
    return (lag if lag < size // 2 else lag - size) / rate
