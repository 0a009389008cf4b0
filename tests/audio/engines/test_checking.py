"""Nothing unfit reaches native code, and nothing unfit comes back from it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from tenuto.audio.engines import SilencedError, UnfitSoundError
from tenuto.errors import EngineError, FaultClass, classify

from .conftest import RATE
from .fakes import FakeEngine


def sound(frames=RATE, channels=1):
    return np.random.default_rng(0).uniform(-0.5, 0.5, (frames, channels)).astype(np.float32)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_never_reaches_an_engine(enhancer, value, monkeypatch):
    def never(*_):
        raise AssertionError("the engine was opened")

    monkeypatch.setattr(enhancer, "open_stream", never)
    samples = sound(channels=2)
    samples[777, 1] = value
    with pytest.raises(UnfitSoundError, match="not finite"):
        enhancer.enhance(samples, RATE)


@pytest.mark.parametrize("rate", [1, 3_999, 2_000_000_000])
def test_a_rate_without_speech_is_the_inputs_fault(rate):
    with pytest.raises(UnfitSoundError, match=str(rate)) as caught:
        FakeEngine().enhance(sound(), rate)
    assert classify(caught.value) is FaultClass.DATA
    assert isinstance(caught.value, EngineError)


def test_an_absurd_amplitude_is_the_inputs_fault():
    with pytest.raises(UnfitSoundError, match="no sound"):
        FakeEngine().enhance(sound() * np.float32(1e30), RATE)


@pytest.mark.parametrize("shape", [(0, 1), (10, 0)])
def test_no_samples_are_the_inputs_fault(shape):
    with pytest.raises(UnfitSoundError, match="no samples"):
        FakeEngine().enhance(np.zeros(shape, np.float32), RATE)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(100, np.float32),
        np.zeros((100, 1), np.float64),
        np.zeros((100, 1), np.int16),
        [[0.0]],
        np.zeros((2, 100_000), np.float32),
    ],
    ids=["flat", "float64", "int16", "list", "transposed"],
)
def test_an_array_of_another_kind_is_a_mistake_in_the_code(samples):
    with pytest.raises(TypeError):
        FakeEngine().enhance(samples, RATE)


@pytest.mark.parametrize(
    "out", [np.zeros((RATE, 2), np.float32), np.zeros((RATE, 1), np.float64)], ids=["shape", "type"]
)
def test_a_result_array_that_does_not_fit_is_refused(out):
    with pytest.raises(ValueError, match="out must be"):
        FakeEngine().enhance(sound(), RATE, out=out)


def test_the_input_cannot_be_the_result_array():
    samples = sound()
    with pytest.raises(ValueError, match="must not be the input"):
        FakeEngine().enhance(samples, RATE, out=samples)


def test_an_engine_that_returns_nan_has_failed():
    with pytest.raises(EngineError, match="fake returned") as caught:
        FakeEngine(change=lambda block: block * np.nan).enhance(sound(), RATE)
    assert classify(caught.value) is FaultClass.INFRASTRUCTURE


def test_an_engine_that_silences_everything_asks_for_the_next_tier():
    with pytest.raises(SilencedError, match="returned silence") as caught:
        FakeEngine(change=lambda block: block * 1e-6).enhance(sound(), RATE)
    assert classify(caught.value) is FaultClass.QUALITY


def test_an_engine_may_silence_a_short_click():
    samples = sound(frames=RATE // 4)
    assert not FakeEngine(change=np.zeros_like).enhance(samples, RATE).any()


def test_one_channel_of_noise_may_fall_silent_beside_one_of_speech():
    samples = sound(channels=2)
    samples[:, 1] *= 0.5
    mute_second = FakeEngine(change=lambda block: block * (np.abs(block).max() > 0.3))
    assert not mute_second.enhance(samples, RATE)[:, 1].any()


def test_the_errors_survive_a_process_pool():
    error = UnfitSoundError("at 1 Hz there is no speech", rate=1)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is UnfitSoundError
    assert copy.rate == 1
