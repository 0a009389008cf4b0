"""What is written under which name, and how much of it is kept."""

from __future__ import annotations

import av
import numpy as np
import pytest

from tenuto.audio.codec import decode, probe
from tenuto.batch.formats import output_suffixes
from tests.audio.codec.broken import encoded, tone
from tests.audio.codec.made import made

pytestmark = pytest.mark.usefixtures("plugin")

RATE = 48_000
STEADY = np.float32(0.97)
"""What the engine of that name makes of a sample."""

SAYS = {
    **dict.fromkeys((".wav", ".wave", ".bwf", ".rf64"), ("WAV", "WAVEX", "RF64")),
    **dict.fromkeys((".aif", ".aiff", ".aifc"), ("AIFF",)),
    **dict.fromkeys((".au", ".snd"), ("AU",)),
    **dict.fromkeys((".ogg", ".oga", ".opus"), ("OGG",)),
    **dict.fromkeys((".m4a", ".m4b", ".mp4"), ("M4A",)),
    ".w64": ("W64",), ".caf": ("CAF",), ".sph": ("NIST",), ".flac": ("FLAC",), ".mp3": ("MP3",),
    ".webm": ("WEBM",),
}  # fmt: skip

BY_SNDFILE = {
    "wav": ("WAV", "PCM_16"), "rf64": ("RF64", "PCM_24"), "w64": ("W64", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"), "au": ("AU", "PCM_16"), "caf": ("CAF", "ALAC_16"),
    "sph": ("NIST", "PCM_16"), "flac": ("FLAC", "PCM_16"), "vorbis": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"), "mp3": ("MP3", "MPEG_LAYER_III"), "voc": ("VOC", "PCM_16"),
}  # fmt: skip
BY_FFMPEG = {
    "ogg flac": ("flac", "ogg"), "mp2": ("mp2", "mp2"), "aac": ("aac", "adts"),
    "m4a": ("aac", "ipod"), "alac": ("alac", "ipod"), "mp4 with mp3": ("libmp3lame", "mp4"),
    "webm": ("libopus", "webm"), "mka with aac": ("aac", "matroska"),
    "mka with opus": ("libopus", "matroska"), "mka with mp3": ("libmp3lame", "matroska"),
    "3gp": ("aac", "3gp"), "ac3": ("ac3", "ac3"), "wv": ("wavpack", "wv"), "tta": ("tta", "tta"),
    "wav with mp3": ("libmp3lame", "wav"), "wav with g726": ("g726", "wav"),
}  # fmt: skip

USUAL = {
    ".wav": ("wav", "wav with mp3", "flac", "m4a"), ".wave": ("wav",), ".bwf": ("wav",),
    ".rf64": ("rf64", "flac"), ".w64": ("w64", "wav"), ".aif": ("aiff",), ".aiff": ("aiff", "wav"),
    ".aifc": ("aiff",), ".au": ("au", "mp3"), ".snd": ("au",), ".caf": ("caf", "wav"),
    ".sph": ("sph", "wav"), ".flac": ("flac", "ogg flac", "wav", "m4a"),
    ".ogg": ("vorbis", "opus", "ogg flac", "mp3"), ".oga": ("vorbis", "ogg flac"),
    ".opus": ("opus", "vorbis"), ".mp3": ("mp3", "wav", "m4a", "aac"), ".mp2": ("mp2",),
    ".m4a": ("m4a", "alac", "aac", "mp3", "wav"), ".m4b": ("m4a",),
    ".mp4": ("m4a", "mp4 with mp3"), ".aac": ("aac", "m4a"), ".webm": ("webm", "mka with aac"),
    ".mka": ("mka with aac", "mka with opus", "mka with mp3"), ".wma": ("mp3", "m4a"),
    ".amr": ("3gp",), ".3gp": ("3gp",), ".ac3": ("ac3",), ".wv": ("wv",), ".ape": ("wv",),
    ".tta": ("tta",), ".voc": ("voc",),
}  # fmt: skip


def file_of(kind):
    rate = 8_000 if kind == "wav with g726" else RATE
    sound = tone(0.3, rate=rate)
    if kind in BY_FFMPEG:
        codec, muxer = BY_FFMPEG[kind]
        return made(sound, rate, codec, muxer)
    return encoded(*BY_SNDFILE[kind], samples=sound, rate=rate)


def test_every_suffix_is_looked_at():
    assert set(USUAL) == set(output_suffixes())
    assert set(SAYS) == set(output_suffixes().values())


@pytest.mark.parametrize(
    ("suffix", "kind"), [(suffix, kind) for suffix, kinds in USUAL.items() for kind in kinds]
)
def test_a_file_is_what_its_name_says(suffix, kind, tmp_path, enhancer):
    source = tmp_path / f"in{suffix}"
    source.write_bytes(file_of(kind))
    planned = output_suffixes()[suffix]
    result = tmp_path / f"out{planned}"
    outcome = enhancer("steady").enhance(source, result)
    assert outcome.tier == "steady"
    written = probe(result)
    assert written.container in SAYS[planned]
    assert planned != ".opus" or written.subtype == "OPUS"
    sound, before = decode(result), decode(source)
    assert (sound.rate, sound.channels) == (before.rate, before.channels)
    assert abs(sound.frames - before.frames) < 1200
    was = probe(source)
    kept = (written.container, written.subtype) == (was.container, was.subtype)
    told = f"written as {written.container} ({written.subtype}): "
    assert outcome.reason is None if kept else told in outcome.reason


def test_what_its_name_says_cannot_hold_is_written_all_the_same_and_told(tmp_path, enhancer):
    source, result = tmp_path / "in.mp3", tmp_path / "out.mp3"
    source.write_bytes(encoded(samples=tone(0.3, channels=4)))
    outcome = enhancer("steady").enhance(source, result)
    assert (outcome.status, probe(result).container) == ("enhanced", "WAV")
    assert "MP3 (MPEG_LAYER_III) holds at most 2 channels, and this has 4" in outcome.reason


def test_a_name_that_says_nothing_keeps_the_format(tmp_path, enhancer):
    source, result = tmp_path / "in", tmp_path / "out.bin"
    source.write_bytes(encoded("FLAC", "PCM_24", samples=tone(0.3)))
    outcome = enhancer("steady").enhance(source, result)
    assert (probe(result).container, probe(result).subtype) == ("FLAC", "PCM_24")
    assert outcome.reason is None


def test_what_is_asked_for_is_not_told(tmp_path, enhancer):
    source, result = tmp_path / "in.wav", tmp_path / "out.flac"
    source.write_bytes(encoded(samples=tone(0.3)))
    outcome = enhancer("steady", container="flac").enhance(source, result)
    assert (outcome.status, outcome.reason) == ("enhanced", None)


def streamed_flac():
    """What an encoder writes that cannot go back to its header: no length, no checksum."""
    data = bytearray(encoded("FLAC", "PCM_24", samples=tone(0.3), rate=RATE))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    return bytes(data)


FINE = {
    "24-bit FLAC from a pipe.flac": (streamed_flac, "FLAC", "PCM_24"),
    "24-bit WavPack.wv": (("wavpack", "wv", "s32p"), "FLAC", "PCM_24"),
    "float WavPack.wv": (("wavpack", "wv", "fltp"), "FLAC", "PCM_24"),
    "16-bit WavPack.wv": (("wavpack", "wv", "s16p"), "FLAC", "PCM_16"),
    "24-bit TTA.tta": (("tta", "tta", "s32"), "FLAC", "PCM_24"),
    "24-bit FLAC.mka": (("flac", "matroska", "s32"), "FLAC", "PCM_24"),
    "16-bit FLAC.mka": (("flac", "matroska", "s16"), "FLAC", "PCM_16"),
    "24-bit FLAC.oga": (("flac", "ogg", "s32"), "OGG", "FLAC_24"),
    "16-bit FLAC.oga": (("flac", "ogg", "s16"), "OGG", "FLAC_16"),
    "24-bit FLAC.wav": (("flac", "matroska", "s32"), "WAV", "PCM_24"),
    "float WavPack.wav": (("wavpack", "wv", "fltp"), "WAV", "FLOAT"),
}


@pytest.mark.parametrize("name", FINE)
def test_what_a_lossless_recording_has_below_16_bits_is_kept(name, tmp_path, enhancer):
    make, container, subtype = FINE[name]
    source = tmp_path / name
    if callable(make):
        source.write_bytes(make())
    else:
        codec, muxer, sample_format = make
        source.write_bytes(made(tone(0.3), 16_000, codec, muxer, sample_format=sample_format))
    result = tmp_path / f"out{output_suffixes()[source.suffix]}"
    outcome = enhancer("steady").enhance(source, result)
    assert outcome.status == "enhanced"
    assert (probe(result).container, probe(result).subtype) == (container, subtype)
    error = np.abs(decode(result).samples - decode(source).samples * STEADY)
    assert error.max() <= (2.0**-16 if subtype.endswith("16") else 2.0**-24)


def test_a_24_bit_ogg_flac_can_be_played_by_others(tmp_path, enhancer):
    source, result = tmp_path / "in.oga", tmp_path / "out.oga"
    source.write_bytes(made(tone(0.3), 16_000, "flac", "ogg", sample_format="s32"))
    enhancer("steady").enhance(source, result)
    with av.open(str(result)) as container:
        (stream,) = container.streams
        assert (container.format.name, stream.codec_context.name) == ("ogg", "flac")
        assert sum(frame.samples for frame in container.decode(stream)) == 4800
