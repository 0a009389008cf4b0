"""Integers are rounded: half a step of error at most, and none on average."""

from __future__ import annotations

import numpy as np
import pytest

from tenuto.audio.codec import decode, encode
from tenuto.audio.sound import Sound, SourceFormat

from .broken import RATE

BITS = {
    "PCM_U8": 8, "PCM_S8": 8, "PCM_16": 16, "PCM_24": 24, "ALAC_16": 16, "ALAC_20": 20,
    "ALAC_24": 24,
}  # fmt: skip

FORMATS = [
    ("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAVEX", "PCM_16"),
    ("RF64", "PCM_16"), ("W64", "PCM_16"), ("AIFF", "PCM_S8"), ("AIFF", "PCM_16"),
    ("AU", "PCM_16"), ("CAF", "PCM_24"), ("NIST", "PCM_16"), ("FLAC", "PCM_S8"),
    ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("CAF", "ALAC_16"), ("CAF", "ALAC_20"),
    ("CAF", "ALAC_24"), ("M4A", "ALAC_16"), ("M4A", "ALAC_24"),
]  # fmt: skip


@pytest.mark.parametrize(("container", "subtype"), FORMATS)
def test_what_an_engine_made_is_rounded_to_the_nearest_integer(container, subtype, tmp_path):
    made = np.random.default_rng(0).uniform(-0.5, 0.5, (RATE, 1)).astype(np.float32)
    path = tmp_path / "written"
    encode(Sound(made, RATE, SourceFormat(container, subtype, RATE, 1)), path)
    error = (decode(path).samples - made) * 2.0 ** (BITS[subtype] - 1)
    assert np.abs(error).max() <= 0.5
    assert abs(error.mean()) < 0.02


@pytest.mark.parametrize("container", ["WAV", "FLAC", "CAF", "ALAC"])
def test_a_sample_just_below_full_scale_is_not_wrapped(container, tmp_path):
    made = np.array([[0.9999999], [-0.9999999], [1.5], [-1e38]], np.float32)
    path = tmp_path / "written"
    encode(Sound(made, RATE, SourceFormat("WAV", "PCM_16", RATE, 1)), path, container=container)
    most = 1 - 2.0**-15
    assert decode(path).samples[:, 0].tolist() == [most, -1, most, -1]


def test_the_sound_that_is_written_stays_as_it_was(tmp_path):
    made = np.random.default_rng(0).uniform(-2, 2, (50_000, 2)).astype(np.float32)
    before = made.copy()
    encode(Sound(made, RATE, SourceFormat("WAV", "PCM_16", RATE, 2)), tmp_path / "written")
    assert np.array_equal(made, before)
