"""A recording that is too long to be kept is decoded again for each pass, and is the same."""

from __future__ import annotations

import errno
import re
import tracemalloc

import numpy as np
import pytest
import soundfile

from tenuto.audio.codec import DEFAULT_LIMITS, Limits, decode, encode, open_recording, probe
from tenuto.audio.sound import Sound, SourceFormat
from tenuto.errors import DecodeError

from .broken import BROKEN, RATE, REFUSED, encoded, tone, wav_header


@pytest.fixture
def nothing_is_kept(monkeypatch):
    monkeypatch.setattr("tenuto.audio.codec.recording.KEPT_BYTES", 0)


def played(recording):
    return np.concatenate(list(recording.blocks()))


@pytest.mark.parametrize("broken", [case for case in BROKEN if case.fate != REFUSED], ids=str)
def test_every_pass_is_what_a_short_recording_has_in_memory(broken, tmp_path, monkeypatch):
    path = tmp_path / broken.name
    broken.make(path)
    whole = decode(path)
    monkeypatch.setattr("tenuto.audio.codec.recording.KEPT_BYTES", 0)
    with open_recording(path) as recording:
        assert (recording.frames, recording.channels) == whole.samples.shape
        assert recording.repairs == whole.repairs
        assert recording.source == whole.source
        assert recording.survey.finite
        for _ in range(2):
            np.testing.assert_array_equal(played(recording), whole.samples)


@pytest.mark.parametrize("broken", [case for case in BROKEN if case.fate == REFUSED], ids=str)
def test_what_is_refused_is_refused_at_any_length(broken, tmp_path, nothing_is_kept):
    path = tmp_path / broken.name
    broken.make(path)
    with (
        pytest.raises(DecodeError, match=re.escape(broken.says or path.name)),
        open_recording(path),
    ):
        pass


FORMATS = [
    ("WAV", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"), ("WAV", "IMA_ADPCM"), ("CAF", "ALAC_16"), ("RF64", "FLOAT"),
]  # fmt: skip


@pytest.mark.parametrize(("container", "subtype"), FORMATS)
def test_a_pass_may_be_given_up_and_begun_again(container, subtype, tmp_path, nothing_is_kept):
    path = tmp_path / "sound"
    path.write_bytes(encoded(container, subtype, tone(seconds=5)))
    with open_recording(path) as recording:
        first = played(recording)
        given_up = recording.blocks()
        next(given_up)
        given_up.close()
        np.testing.assert_array_equal(played(recording), first)
        assert len(first) == recording.frames


def test_what_ffmpeg_reads_is_the_same_on_every_pass(tmp_path, monkeypatch):
    from tenuto.audio.codec import encode
    from tenuto.audio.sound import Sound, SourceFormat

    path = tmp_path / "sound.m4a"
    sound = Sound(tone(rate=48_000), 48_000, SourceFormat("WAV", "PCM_16", 48_000, 1))
    encode(sound, path, container="M4A")
    whole = decode(path)
    monkeypatch.setattr("tenuto.audio.codec.recording.KEPT_BYTES", 0)
    with open_recording(path) as recording:
        for _ in range(2):
            np.testing.assert_array_equal(played(recording), whole.samples)


def play_and_change(path, before=None, after=None):
    with open_recording(path) as recording:
        if before is not None:
            path.write_bytes(before)
        played(recording)
        if after is not None:
            path.write_bytes(after)


@pytest.mark.parametrize(
    "change", [{"before": encoded()[: RATE * 2]}, {"after": encoded() + b"more"}]
)
def test_a_file_that_is_changed_between_passes_or_after_them_is_told(
    tmp_path, nothing_is_kept, change
):
    path = tmp_path / "sound.wav"
    path.write_bytes(encoded())
    with pytest.raises(OSError, match="changed while it was read") as told:
        play_and_change(path, **change)
    assert told.value.errno == errno.EBUSY


def test_a_short_file_may_go_as_soon_as_it_is_known(tmp_path):
    path = tmp_path / "sound.wav"
    path.write_bytes(encoded())
    with open_recording(path) as recording:
        path.write_bytes(b"something else")
        assert len(played(recording)) == len(tone())


def test_a_recording_is_bounded_on_the_first_pass(tmp_path, nothing_is_kept):
    path = tmp_path / "sound.mp3"
    path.write_bytes(encoded("MP3", "MPEG_LAYER_III"))
    assert DEFAULT_LIMITS.channel_hours > 1
    with (
        pytest.raises(DecodeError, match="hours of sound"),
        open_recording(path, limits=Limits(channel_hours=1 / 3600)),
    ):
        pass


def test_the_first_pass_tells_how_it_gets_on(tmp_path):
    path = tmp_path / "sound.wav"
    path.write_bytes(encoded(samples=tone(seconds=5)))
    heard = []
    with open_recording(path, on_block=heard.append):
        assert sum(heard) == pytest.approx(5)
        assert len(heard) > 3


def test_many_gaps_in_a_long_recording_are_filled_on_every_pass(tmp_path, nothing_is_kept):
    samples = tone(seconds=20, channels=2)
    rng = np.random.default_rng(0)
    samples[rng.choice(len(samples), 1_000, replace=False), 1] = np.nan
    samples[16_300:16_500, 0] = np.nan  # over the end of a decoder's block
    path = tmp_path / "sound.wav"
    path.write_bytes(encoded(subtype="FLOAT", samples=samples))
    with open_recording(path) as recording:
        first = played(recording)
        np.testing.assert_array_equal(played(recording), first)
    clean = tone(seconds=20, channels=2)
    good = ~np.isnan(samples)
    np.testing.assert_array_equal(first[good], clean[good])
    ramp = np.linspace(clean[16_299, 0], clean[16_500, 0], 202)
    np.testing.assert_allclose(first[16_299:16_501, 0], ramp, atol=1e-6)


def test_a_header_beyond_four_gigabytes_is_read(tmp_path):
    """RF64, whose sizes have 64 bits. The file is sparse: it takes no room."""
    path = tmp_path / "long.wav"
    data = bytearray(encoded("RF64", samples=tone(0.1)))
    at = data.index(b"ds64") + 8
    frames = 3 * 2**30
    data[at : at + 24] = b"".join(
        value.to_bytes(8, "little") for value in (2 * frames + 96, 2 * frames, frames)
    )
    path.write_bytes(data)
    with path.open("r+b") as file:
        file.truncate(2 * frames + data.index(b"data") + 8)
    assert probe(path).declared_frames == frames


@pytest.mark.parametrize("said", [0xFFFFFFFF, 0x7FFFF000, 1_234], ids=hex)
def test_a_wav_file_that_outgrows_its_header_is_read_to_its_end(tmp_path, monkeypatch, said):
    """Some recorders go on beyond 4 GiB; here the header counts up to a thousand bytes."""
    monkeypatch.setattr("tenuto.audio.codec.declared._MOST_BYTES", 1_000)
    path = tmp_path / "long.wav"
    samples = np.int16(tone() * 32767)
    path.write_bytes(wav_header(data_bytes=said, riff_bytes=said) + samples.tobytes())
    sound = decode(path)
    np.testing.assert_array_equal(sound.samples, samples / np.float32(32768))
    assert (sound.source.container, sound.source.subtype) == ("WAV", "PCM_16")
    assert sound.repairs == ()


def test_a_wav_file_of_five_gigabytes_has_no_length_that_a_header_could_tell(tmp_path):
    path = tmp_path / "long.wav"
    path.write_bytes(wav_header(data_bytes=705_032_704, riff_bytes=705_032_740))
    with path.open("r+b") as file:
        file.truncate(5_000_000_044)  # sparse
    assert probe(path).declared_frames is None


def test_a_long_wav_file_that_holds_no_sound_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tenuto.audio.codec.declared._MOST_BYTES", 1_000)
    path = tmp_path / "long.wav"
    path.write_bytes(b"RIFF\0\0\0\0WAVE" + bytes(2_000))
    with pytest.raises(DecodeError, match="the beginning is damaged"):
        decode(path)


def test_what_ffmpeg_reads_goes_by_at_flat_memory(tmp_path, nothing_is_kept):
    path = tmp_path / "sound.m4a"
    source = SourceFormat("WAV", "PCM_16", 48_000, 1)
    encode(Sound(tone(seconds=60, rate=48_000), 48_000, source), path, container="M4A")
    tracemalloc.start()
    try:
        with open_recording(path) as recording:
            for _ in recording.blocks():
                pass
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1e6  # as an array it would be 11.5 MB


def test_whoever_waits_is_told_of_every_block_that_is_decoded_before_it_is_there(tmp_path):
    whole = tone(seconds=20).copy()
    whole[100] = np.nan
    path = tmp_path / "nan.wav"
    soundfile.write(path, whole, RATE, subtype="FLOAT")
    heard = []
    with open_recording(path, on_block=heard.append) as recording:
        assert recording.repairs
    # Once to see it, twice to see what is wrong with it, and once as it is repaired.
    assert sum(heard) == pytest.approx(4 * 20)
