"""An Ogg file may hold several recordings, one after another: all of them are read."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from tenuto.audio.codec import decode, open_recording
from tenuto.audio.codec.part import Part

from .broken import RATE, encoded, garbled, tone
from .lossy import written

PARTS = [tone(2.9, seed=1), tone(1.25, seed=2), tone(1, seed=3)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sound.ogg"


def decoded_alone(path, data):
    path.write_bytes(data)
    return decode(path).samples


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS", "FLAC"])
@pytest.mark.parametrize("kept", [True, False])
def test_every_link_of_a_chain_is_decoded(path, subtype, kept, monkeypatch):
    files = [encoded_as(subtype, part) for part in PARTS]
    each = [decoded_alone(path, data) for data in files]
    if not kept:
        monkeypatch.setattr("tenuto.audio.codec.recording.KEPT_BYTES", 0)
    path.write_bytes(b"".join(files))
    with open_recording(path) as recording:
        assert recording.repairs == ()
        for _ in range(2):
            played = np.concatenate(list(recording.blocks()))
            np.testing.assert_array_equal(played, np.concatenate(each))


def encoded_as(subtype, samples):
    if subtype == "FLAC":  # which libsndfile does not put into Ogg
        return written("ogg", "flac", samples, RATE)
    return encoded("OGG", subtype, samples)


def test_the_same_file_twice_is_a_chain_too(path):
    data = encoded("OGG", "VORBIS", PARTS[0])
    once = decoded_alone(path, data)
    path.write_bytes(data * 2)
    sound = decode(path)
    assert sound.repairs == ()
    np.testing.assert_array_equal(sound.samples, np.concatenate([once, once]))


def test_links_that_do_not_go_together_are_missed_aloud(path):
    stereo = encoded("OGG", "VORBIS", tone(1, channels=2))
    once = decoded_alone(path, first := encoded("OGG", "VORBIS", PARTS[0]))
    path.write_bytes(first + stereo)
    sound = decode(path)
    assert sound.repairs == (
        "it holds 2 recordings one after another, and only the first was read",
    )
    np.testing.assert_array_equal(sound.samples, once)


def test_a_link_that_breaks_off_or_is_damaged_is_told(path):
    first, second = (encoded("OGG", "VORBIS", part) for part in PARTS[:2])
    path.write_bytes(first[: int(len(first) * 0.8)] + second)
    assert any("breaks off" in each for each in decode(path).repairs)
    path.write_bytes(first + garbled(second, 0.6, 300))
    sound = decode(path)
    assert any("damaged bytes were skipped" in each for each in sound.repairs)
    assert sound.duration > 2.9


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.9])
def test_a_chain_that_breaks_off_in_its_last_link_says_so(path, share):
    first, second = (encoded("OGG", "VORBIS", part) for part in PARTS[:2])
    path.write_bytes(first + second[: int(len(second) * share)])
    sound = decode(path)
    assert sound.repairs
    assert sound.duration >= 2.9


def test_a_file_and_half_of_it_once_more_breaks_off(path):
    whole = encoded("OGG", "VORBIS", PARTS[0])
    path.write_bytes(whole + whole[: len(whole) // 2])
    assert any("breaks off" in each for each in decode(path).repairs)


def test_a_link_whose_beginning_is_damaged_does_not_hide_those_behind_it(path):
    first, second, third = (encoded("OGG", "VORBIS", part) for part in PARTS)
    path.write_bytes(first + garbled(second, 0.02, 300) + third)
    sound = decode(path)
    assert any("cannot be read" in each or "skipped" in each for each in sound.repairs)
    assert sound.duration == pytest.approx(3.9, abs=0.05)


def test_a_disk_that_fails_under_a_part_is_no_end(tmp_path):
    part = Part(os.open(tmp_path, os.O_RDONLY), 0, 100)  # a folder cannot be read
    assert part.read(10) == b""
    with pytest.raises(OSError) as told:
        part.check()
    assert told.value.errno == errno.EISDIR


def test_a_part_is_a_file_of_its_own(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        part = Part(file.fileno(), 2, 6)
        assert part.read() == b"2345"
        assert part.seek(-1, os.SEEK_END) == 3
        assert part.read(10) == b"5"
        assert (part.seek(1), part.seek(1, os.SEEK_CUR), part.tell()) == (1, 2, 2)
        part.check()
