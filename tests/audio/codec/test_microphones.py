"""Six microphones are not 5.1: none of them is for a subwoofer, of which only the bass counts.

Each channel has a tone of its own, so that a lost one is missed.
"""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tenuto.audio.codec import decode, encode, writable_as
from tenuto.audio.sound import Sound, SourceFormat
from tenuto.errors import EncodeError

from .broken import encoded
from .made import made

RATE = 48_000


def tones(channels):
    time = np.arange(RATE) / RATE
    pitches = 300 + 150 * np.arange(channels)
    return np.float32(0.3 * np.sin(2 * np.pi * pitches * time[:, None]))


def heard(samples):
    """The tone that each channel has, by its number; None for silence."""
    spectra = np.abs(np.fft.rfft(samples, axis=0))
    return [
        round((spectrum.argmax() * RATE / len(samples) - 300) / 150)
        if spectrum.max() > 100
        else None
        for spectrum in spectra.T
    ]


def sound_of(channels, container="WAV", subtype="PCM_16", **more):
    source = SourceFormat(container, subtype, RATE, channels, **more)
    return Sound(tones(channels), RATE, source)


@pytest.mark.parametrize(
    ("container", "channels"),
    [(name, channels) for name in ("ogg", "opus", "m4a", "flac") for channels in range(2, 9)],
)
def test_no_microphone_is_lost(container, channels, tmp_path):
    path = tmp_path / "written"
    if (container, channels) in {("m4a", 7), ("m4a", 8)}:
        with pytest.raises(EncodeError, match="at most 6 channels"):
            encode(sound_of(channels), path, container=container)
        return
    encode(sound_of(channels), path, container=container)
    once = decode(path)
    assert heard(once.samples) == list(range(channels))
    assert (once.frames, once.repairs) == (RATE, ())
    encode(once, path)
    assert heard(decode(path).samples) == list(range(channels))


def test_six_microphones_in_ogg_are_opus_or_flac_and_never_vorbis():
    source = SourceFormat("WAV", "PCM_16", RATE, 6)
    assert writable_as(source, "ogg").subtype == "OPUS"
    assert writable_as(SourceFormat("WAV", "PCM_16", 44_100, 6), "ogg").subtype == "FLAC_24"
    with pytest.raises(EncodeError, match="all but the bass of the last of six channels"):
        writable_as(source, "vorbis")


def test_what_is_5_1_stays_it(tmp_path):
    import av

    path = tmp_path / "surround"
    path.write_bytes(made(tones(6), RATE, "aac", "ipod"))
    sound = decode(path)
    assert sound.source.subwoofer == 3
    encode(sound, path)
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.layout.name == "5.1"

    for subtype in ("VORBIS", "OPUS"):
        path.write_bytes(encoded("OGG", subtype, tones(6), RATE))
        sound = decode(path)
        assert sound.source.subwoofer == 5
        encode(sound, path)
        assert decode(path).source.subwoofer == 5


@pytest.mark.parametrize(("mask", "channel"), [(0x3F, 3), (0x60F, 3), (0x0B, 2), (0, None)])
def test_a_wav_file_tells_which_is_the_subwoofer(mask, channel, tmp_path):
    data = bytearray(encoded("WAVEX", samples=tones(6), rate=RATE))
    at = data.index(b"fmt ") + 28
    data[at : at + 4] = struct.pack("<I", mask)
    path = tmp_path / "masked.wav"
    path.write_bytes(data)
    assert decode(path).source.subwoofer == channel
    if channel == 3:
        encode(decode(path), path, container="m4a")
        assert decode(path).source.subwoofer == 3
