"""MP3 files are decoded to their end and keep their bit rate, whatever their header says."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tenuto.audio.codec import decode, encode, open_recording, probe
from tenuto.audio.codec.mpeg import walk_through_mpeg
from tenuto.audio.codec.sndfile import SndfileReader

from .broken import cut, encoded, garbled, tone
from .lossy import id3_picture, mp3, written

_FILLING = 2_400
"""Samples, at most, by which an MP3 encoder that does not tell its delay lengthens a sound."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sound.mp3"


@pytest.mark.parametrize("rate", [44_100, 22_050, 11_025, 48_000, 16_000, 8_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_whole_file_without_a_length_in_its_header_is_whole(path, rate, channels):
    samples = tone(9, rate, channels)
    path.write_bytes(mp3(samples, rate, bit_rate=16_000 if rate < 12_000 else 64_000))
    sound = decode(path)
    assert sound.repairs == ()
    assert 0 <= sound.frames - len(samples) <= _FILLING
    assert sound.source.declared_frames == sound.frames


def test_a_file_whose_first_second_takes_more_room_than_the_rest_is_decoded_to_its_end(path):
    """Its length is not to be guessed from the first bit rate."""
    loud, quiet = tone(1, 44_100), tone(4, 44_100)
    path.write_bytes(mp3(loud, 44_100, bit_rate=320_000) + 3 * mp3(quiet, 44_100, bit_rate=32_000))
    sound = decode(path)
    assert sound.repairs == ()
    assert 13.0 <= sound.duration <= 13.3
    assert np.abs(sound.samples[-44_100:]).max() > 0.3
    assert sound.source.bit_rate == pytest.approx((320_000 + 12 * 32_000) / 13, rel=0.05)


def test_a_long_one_of_them_is_the_same_on_every_pass(path, monkeypatch):
    path.write_bytes(
        mp3(tone(1, 44_100), 44_100, bit_rate=320_000)
        + mp3(tone(9, 44_100), 44_100, bit_rate=32_000)
    )
    whole = decode(path)
    monkeypatch.setattr("tenuto.audio.codec.recording.KEPT_BYTES", 0)
    with open_recording(path) as recording:
        for _ in range(2):
            played = np.concatenate(list(recording.blocks()))
            np.testing.assert_array_equal(played, whole.samples)


def test_files_that_were_joined_are_read_to_the_end_although_the_first_tells_its_length(path):
    with_length = {"write_xing": "1", "id3v2_version": "3"}
    first = mp3(tone(3, 44_100), 44_100, **with_length)
    path.write_bytes(first + mp3(tone(2, 44_100), 44_100, **with_length))
    sound = decode(path)
    assert sound.repairs == ()
    assert sound.duration == pytest.approx(5, abs=0.1)


def test_a_cover_picture_is_no_sound(path):
    plain = mp3(tone(3, 44_100), 44_100)
    path.write_bytes(id3_picture(300_000) + plain)
    sound = decode(path)
    assert sound.repairs == ()
    assert sound.duration == pytest.approx(3, abs=0.1)
    assert sound.source.bit_rate == pytest.approx(64_000, rel=0.02)


@pytest.mark.parametrize("xing", ["0", "1"])
def test_half_a_file_with_a_picture_keeps_the_bit_rate_of_the_whole(path, tmp_path, xing):
    path.write_bytes(cut(id3_picture(5_000) + mp3(tone(9, 44_100), 44_100, write_xing=xing), 0.5))
    sound = decode(path)
    assert sound.repairs
    assert sound.source.bit_rate == pytest.approx(64_000, rel=0.02)
    encode(sound, tmp_path / "out.mp3")
    assert probe(tmp_path / "out.mp3").bit_rate == pytest.approx(64_000, rel=0.05)


def test_an_encoder_that_never_came_back_to_its_header_has_left_zeros_there(path):
    data = bytearray(mp3(tone(3, 44_100), 44_100, write_xing="1"))
    at = data.index(b"Info")
    data[at + 8 : at + 16] = bytes(8)
    path.write_bytes(data)
    sound = decode(path)
    assert sound.repairs == ()
    assert sound.duration == pytest.approx(3, abs=0.1)


def test_the_length_in_a_vbri_header_counts(path):
    frames = mp3(tone(3, 44_100), 44_100)
    first = bytearray(frames[:4].ljust(209, b"\0"))
    count = 1 + len(frames) // 209
    first[36:54] = struct.pack(">4sHHHII", b"VBRI", 1, 0, 75, len(frames) + 209, count)
    path.write_bytes(bytes(first) + frames)
    sound = decode(path)
    assert sound.repairs == ()
    assert sound.duration == pytest.approx(3, abs=0.1)


def test_mpeg_layer_2_has_no_length_in_its_header(tmp_path):
    path = tmp_path / "sound.mp2"
    path.write_bytes(written("mp2", "mp2", tone(3, 44_100), 44_100))
    sound = decode(path)
    assert sound.repairs == ()
    assert sound.source.subtype == "MPEG_LAYER_II"
    assert sound.duration == pytest.approx(3, abs=0.1)


def test_tags_at_the_end_and_between_are_no_damage(path):
    name = b"TAG" + b"a name".ljust(125, b"\0")
    ape = b"".join(
        b"APETAGEX" + struct.pack("<IIII8x", 2000, 72, 1, flags) + item
        for flags, item in ((0xA0000000, b"\xff\xfb\x90\0" * 10), (0x80000000, b""))
    )
    frames = mp3(tone(3, 44_100), 44_100)
    path.write_bytes(frames + name + frames + ape)
    sound = decode(path)
    assert sound.repairs == ()
    assert sound.duration == pytest.approx(6, abs=0.15)


def test_a_file_without_a_length_says_what_is_wrong_with_it(path):
    whole = mp3(tone(9, 44_100), 44_100)
    path.write_bytes(garbled(whole, 0.5, 500))
    assert any("damaged bytes were skipped" in each for each in decode(path).repairs)
    path.write_bytes(whole[: len(whole) // 2 + 50])
    assert decode(path).repairs == ("it breaks off in the middle of a frame",)


def test_what_follows_at_another_sample_rate_is_missed_aloud(path):
    path.write_bytes(mp3(tone(3, 44_100), 44_100) + mp3(tone(3, 32_000), 32_000))
    sound = decode(path)
    assert any("frames of another sample rate are left out" in each for each in sound.repairs)


def test_a_file_that_tells_its_length_is_walked_through_once_and_not_to_be_opened(
    path, monkeypatch
):
    path.write_bytes(encoded("MP3", "MPEG_LAYER_III"))
    walks = []

    def noted(descriptor):
        walks.append(descriptor)
        return walk_through_mpeg(descriptor)

    monkeypatch.setattr("tenuto.audio.codec.sndfile.walk_through_mpeg", noted)
    probe(path)
    assert walks == []
    decode(path)
    assert len(walks) == 1
    path.write_bytes(mp3(tone(3, 44_100), 44_100))
    decode(path)
    assert len(walks) == 2


def test_where_libsndfile_guesses_too_much_it_still_reads(path):
    """It gives what FFmpeg gives, and is what read these files before."""
    path.write_bytes(mp3(tone(3, 44_100), 44_100))
    descriptor = path.open("rb")
    with descriptor:
        reader = SndfileReader(descriptor.fileno())
        assert reader.walked is not None
        assert not reader.stops_early
        reader.close()
