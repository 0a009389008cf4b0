"""The sound of a film is as long as it is, and whoever gave it is told what is left out."""

from __future__ import annotations

import pytest

from tenuto.audio.codec import decode, open_recording, probe

from .broken import cut, tone
from .lossy import written

FILMS = [("matroska", "aac"), ("matroska", "flac"), ("mp4", "aac"), ("mov", "pcm_s16le")]
SOUND = tone(2.7, 48_000)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "film"


def remarks(path):
    with open_recording(path) as recording:
        assert recording.repairs == ()
        assert recording.duration == pytest.approx(2.7, abs=0.1)
        return recording.remarks


@pytest.mark.parametrize(("form", "codec"), FILMS)
@pytest.mark.parametrize("picture", [1.0, 4.0])
def test_a_picture_that_outlasts_its_sound_does_not_make_it_cut_short(path, form, codec, picture):
    path.write_bytes(written(form, codec, SOUND, 48_000, picture=picture))
    assert remarks(path) == ("its picture is left out",)


def test_a_film_that_tells_no_length_of_its_sound_declares_none(path):
    whole = written("matroska", "aac", SOUND, 48_000, picture=4.0)
    path.write_bytes(whole.replace(b"DURATION", b"nonsense"))
    assert probe(path).declared_frames is None
    assert remarks(path) == ("its picture is left out",)


@pytest.mark.parametrize("picture", [0.0, 2.7])
def test_a_film_that_is_cut_off_says_so(path, picture):
    path.write_bytes(cut(written("matroska", "aac", SOUND, 48_000, picture=picture), 0.5))
    assert any("of the 2.7 s" in each for each in decode(path).repairs)


@pytest.mark.parametrize(
    ("tracks", "says"),
    [
        (1, ()),
        (2, ("1 further sound track is left out",)),
        (3, ("2 further sound tracks are left out",)),
    ],
)
def test_further_sound_tracks_are_missed_aloud(path, tracks, says):
    path.write_bytes(written("matroska", "flac", SOUND, 48_000, tracks=tracks))
    assert remarks(path) == says


def test_sound_alone_has_no_remarks(path):
    for form, codec in (("ipod", "aac"), ("webm", "libopus"), ("ogg", "flac")):
        path.write_bytes(written(form, codec, SOUND, 48_000))
        assert remarks(path) == ()
