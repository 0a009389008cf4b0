"""A recording is as long afterwards as it was before, to the sample."""

from __future__ import annotations

import numpy as np
import pytest

from tenuto.audio.codec import decode, encode
from tenuto.audio.sound import Sound, SourceFormat

from .broken import tone
from .made import made


@pytest.mark.parametrize("subtype", ["AAC", "ALAC_16"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("frames", [1, 20, 100, 14_700, 100_040])
def test_m4a_is_as_long_as_the_sound(subtype, rate, frames, tmp_path):
    path = tmp_path / "written"
    samples = tone(frames / rate, rate)
    encode(Sound(samples, rate, SourceFormat("M4A", subtype, rate, 1)), path)
    sound = decode(path)
    assert (sound.frames, sound.source.declared_frames, sound.repairs) == (frames, frames, ())


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("frames", [1, 1001, 24_492])
def test_adpcm_is_as_long_as_the_sound(channels, frames, tmp_path):
    path = tmp_path / "written"
    samples = tone(3.5, 8_000, channels=channels)[:frames].copy()
    encode(Sound(samples, 8_000, SourceFormat("WAV", "IMA_ADPCM", 8_000, channels)), path)
    sound = decode(path)
    assert (sound.frames, sound.repairs) == (frames, ())


def test_adpcm_of_others_keeps_its_length_again_and_again(tmp_path):
    path = tmp_path / "adpcm.wav"
    path.write_bytes(made(tone(3, 8_000), 8_000, "adpcm_ima_wav", "wav"))
    first = decode(path)
    for _ in range(3):
        encode(decode(path), path)
    assert decode(path).frames == first.frames
    assert np.corrcoef(decode(path).samples[:, 0], first.samples[:, 0])[0, 1] > 0.98
