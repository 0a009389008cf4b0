"""How an engine is fed: channels, blocks, delay, warm-up, memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenuto.audio.storage import allocate

from .fakes import FakeEngine

RATE = 8_000


def noise(frames, channels=1, seed=0):
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (frames, channels)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    frames=st.integers(1, 30_000),
    hop=st.integers(1, 3_000),
    delay=st.integers(0, 12_000),
    warm_up=st.sampled_from([0.0, 0.3, 2.0]),
)
def test_an_engine_that_changes_nothing_gives_the_input_back(frames, hop, delay, warm_up):
    samples = noise(frames)
    engine = FakeEngine(hop=hop, delay=delay)
    engine.warm_up = warm_up
    np.testing.assert_allclose(engine.enhance(samples, RATE), samples, atol=1e-6)


@pytest.mark.parametrize("rate", [6_000, 44_100, 96_000])
def test_another_rate_gives_the_input_back_too(rate):
    samples = noise(rate * 2 + 7)
    if rate < 48_000:  # a band that survives both filters
        samples = np.convolve(samples[:, 0], np.hanning(64) / 32, "same")[:, None]
        samples = samples.astype(np.float32)
    engine = FakeEngine(hop=480, delay=1_440, native_rate=48_000)
    middle = slice(rate // 10, -rate // 10)
    np.testing.assert_allclose(engine.enhance(samples, rate)[middle], samples[middle], atol=2e-3)


def test_an_engine_sees_contiguous_whole_hops_of_float32():
    engine = FakeEngine(hop=333)
    engine.enhance(noise(20_000, channels=3), RATE)
    assert all(length % 333 == 0 for length, _, _ in engine.blocks)
    assert all(contiguous and kind == np.float32 for _, contiguous, kind in engine.blocks)


def test_each_of_32_channels_has_a_state_of_its_own():
    engine = FakeEngine()
    samples = noise(1_000, channels=32)
    np.testing.assert_allclose(engine.enhance(samples, RATE), samples, atol=1e-6)
    assert engine.opened == engine.closed == 32


def test_equal_channels_are_worked_on_once():
    engine = FakeEngine(change=lambda block: block / 2)
    samples = np.repeat(noise(1_000), 2, axis=1)
    np.testing.assert_allclose(engine.enhance(samples, RATE), samples / 2, atol=1e-6)
    assert engine.opened == 1


def test_channels_with_the_same_peak_that_differ_elsewhere_are_not_taken_for_equal():
    engine = FakeEngine()
    samples = np.repeat(noise(1_000), 2, axis=1)
    samples[0] = 1.0
    samples[-1, 1] /= 2
    np.testing.assert_allclose(engine.enhance(samples, RATE), samples, atol=1e-6)
    assert engine.opened == 2


def test_a_silent_channel_is_not_worked_on():
    engine = FakeEngine(change=lambda block: block / 2)
    samples = np.concatenate((noise(1_000), np.full((1_000, 1), 1e-8, np.float32)), axis=1)
    enhanced = engine.enhance(samples, RATE)
    assert engine.opened == 1
    np.testing.assert_array_equal(enhanced[:, 1], samples[:, 1])


def all_heard(samples, warm_up, hop=1):
    heard = []
    engine = FakeEngine(change=lambda block: (heard.append(block.copy()), block)[1], hop=hop)
    engine.warm_up = warm_up
    engine.enhance(samples, RATE)
    return np.concatenate(heard)


def test_the_beginning_is_heard_twice_and_given_once():
    samples = noise(RATE)
    every = all_heard(samples, warm_up=0.5)
    warm_up, approach = RATE // 2, RATE // 10
    np.testing.assert_array_equal(every[:warm_up], samples[:warm_up, 0])
    np.testing.assert_array_equal(every[warm_up + approach :][:RATE], samples[:, 0])


@pytest.mark.parametrize("frames", [3 * RATE, RATE, RATE // 20, 3])
def test_what_an_engine_hears_leads_up_to_the_beginning_without_a_jump(frames):
    """A jump would be heard in the first sample, louder than all that was recorded there."""
    samples = np.sin(np.arange(frames) * 2 * np.pi * 103 / RATE + 1)[:, None].astype(np.float32)
    every = all_heard(samples, warm_up=2.0)
    warm_up = min(2 * RATE, frames + RATE // 50)
    beginning = warm_up + min(warm_up, RATE // 10)
    near = min(frames, RATE // 20)
    np.testing.assert_array_equal(every[beginning:][:near], samples[:near, 0])
    around = every[beginning - near : beginning + near]
    assert np.abs(np.diff(around)).max() <= 2 * np.pi * 103 / RATE * 1.001


def test_the_windows_of_an_engine_lie_where_they_lie_without_a_warm_up():
    samples = noise(3 * RATE)
    every = all_heard(samples, warm_up=2.0, hop=128)
    hops = every[: len(every) // 128 * 128].reshape(-1, 128)
    assert (hops == samples[:128, 0]).all(axis=1).sum() == 2


def test_a_state_is_given_back_when_the_engine_fails():
    def fail(_block):
        raise OSError("the card is gone")

    engine = FakeEngine(change=fail)
    with pytest.raises(OSError, match="gone"):
        engine.enhance(noise(1_000), RATE)
    assert engine.closed == 1


@pytest.mark.parametrize("native_rate", [None, 4_000])
def test_working_memory_does_not_grow_with_length(native_rate):
    def peak(seconds):
        samples = noise(RATE * seconds)
        out = np.empty_like(samples)
        engine = FakeEngine(delay=1_000, native_rate=native_rate)
        tracemalloc.start()
        engine.enhance(samples, RATE, out=out)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(300) < 1.1 * peak(60)


def test_a_large_result_lives_in_a_file(monkeypatch):
    monkeypatch.setattr("tenuto.audio.storage.SPILL_BYTES", 1_000)
    room = allocate(300_000, 2)
    room[:] = 3.0
    assert room.shape == (300_000, 2)
    assert room.dtype == np.float32
    assert room.flags.c_contiguous
    assert not room.flags.owndata
    np.testing.assert_array_equal(room, 3.0)


def test_a_disk_that_is_full_is_an_error_not_a_crash(monkeypatch):
    class FullDisk:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def write(self, _):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tenuto.audio.storage.SPILL_BYTES", 1_000)
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: FullDisk())
    with pytest.raises(OSError, match="No space"):
        allocate(1_000, 1)
