"""What a WAV file holds around the sound is there afterwards: who recorded it, marks, texts."""

from __future__ import annotations

import struct

import av
import numpy as np
import pytest
import soundfile

from tenuto.audio.codec import decode, encode, probe
from tenuto.audio.codec.riff import kept_chunks

from .broken import RATE, encoded, tone


def chunk(name, content):
    return struct.pack("<4sI", name, len(content)) + content + bytes(len(content) % 2)


def info(**texts):
    fields = b"".join(chunk(name.encode(), text + b"\0") for name, text in texts.items())
    return chunk(b"LIST", b"INFO" + fields)


BEXT = chunk(
    b"bext",
    b"At the station".ljust(256, b"\0")
    + b"Field recorder".ljust(64, b"\0")
    + b"2024-01-0203:04:05"
    + struct.pack("<Q", 123_456_789)
    + bytes(256),
)
CUE = chunk(b"cue ", struct.pack("<III4sIII", 1, 1, 8000, b"data", 0, 0, 8000))
LABEL = chunk(b"LIST", b"adtl" + chunk(b"labl", struct.pack("<I", 1) + b"the train\0"))
IXML = chunk(b"iXML", b"<BWFXML><TAPE>7</TAPE></BWFXML>")
TEXTS = info(INAM="Grüße".encode("cp1252"), ISBJ=b"trains", ISFT=b"a recorder")


def with_chunks(before=b"", after=b"", container="WAV", subtype="PCM_16", samples=None):
    """A WAV file with more in it, before the sound and behind it."""
    data = encoded(container, subtype, samples)
    data += bytes(len(data) % 2)
    at = data.index(b"data")
    data = data[:at] + before + data[at:] + after
    if container == "RF64":
        return data[:20] + struct.pack("<Q", len(data) - 8) + data[28:]
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


@pytest.fixture
def again(tmp_path):
    """Decodes what is in the bytes, encodes it, and gives the file."""

    def make(data, **settings):
        source, output = tmp_path / "in.wav", tmp_path / "out.wav"
        source.write_bytes(data)
        encode(decode(source), output, **settings)
        return output

    return make


@pytest.mark.parametrize(("container", "subtype"), [
    ("WAV", "PCM_16"), ("WAV", "PCM_U8"), ("WAV", "FLOAT"), ("WAVEX", "PCM_24"), ("RF64", "PCM_16"),
    ("WAV", "IMA_ADPCM"),
])  # fmt: skip
@pytest.mark.parametrize("where", ["before", "after"])
def test_who_recorded_it_and_marks_and_texts_are_kept(container, subtype, where, again):
    more = BEXT + IXML + CUE + LABEL + TEXTS
    samples = tone()[:16_001]
    written = again(
        with_chunks(**{where: more}, container=container, subtype=subtype, samples=samples)
    )
    data = written.read_bytes()
    for each in (BEXT, IXML, CUE, LABEL, b"ISBJ", "Grüße".encode("cp1252")):
        assert each in data
    assert b"a recorder" not in data
    assert probe(written).tags["title"] == "Grüße"
    before, sound = decode(written.with_name("in.wav")), decode(written)
    assert (sound.frames, sound.repairs) == (before.frames, ())
    size = data[20:28] if data.startswith(b"RF64") else data[4:8]
    assert int.from_bytes(size, "little") == len(data) - 8
    assert len(data) % 2 == 0


def test_other_programs_still_play_the_file_and_see_the_texts(again):
    written = again(with_chunks(after=BEXT + CUE + info(INAM=b"Station", ISBJ=b"trains")))
    with soundfile.SoundFile(written) as file:
        assert (file.frames, file.title) == (2 * RATE, "Station")
    with av.open(str(written)) as container:
        assert container.metadata["title"] == "Station"
        assert sum(frame.samples for frame in container.decode(audio=0)) == 2 * RATE


def test_once_more_changes_nothing(again, tmp_path):
    first = again(with_chunks(before=BEXT + TEXTS, after=CUE)).read_bytes()
    assert again(first).read_bytes() == first


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("cp1252"), "Grüße"),
        ("naïve “quoted”".encode("cp1252"), "naïve “quoted”"),
        (b"plain", "plain"),
        (b"\x81 undefined", "� undefined"),
    ],
)
def test_texts_are_read_in_the_encoding_they_are_in(raw, read, again, tmp_path):
    source = tmp_path / "source.wav"
    source.write_bytes(with_chunks(after=info(INAM=raw, IART=b"somebody")))
    tags = probe(source).tags
    assert (tags["title"], tags["artist"]) == (read, "somebody")
    written = again(source.read_bytes())
    assert raw in written.read_bytes()
    assert probe(written).tags["title"] == read
    flac = again(source.read_bytes(), container="FLAC")
    assert probe(flac).tags["title"] == read


def test_tags_that_were_changed_are_the_ones_that_are_written(tmp_path):
    from dataclasses import replace

    source, output = tmp_path / "in.wav", tmp_path / "out.wav"
    source.write_bytes(with_chunks(after=BEXT + info(INAM=b"old", ISBJ=b"trains")))
    sound = decode(source)
    other = replace(sound, source=replace(sound.source, tags={"title": "new"}))
    encode(other, output)
    assert probe(output).tags == {"title": "new"}
    data = output.read_bytes()
    assert BEXT in data
    assert b"old" not in data


def test_marks_do_not_go_into_a_file_of_another_rate(tmp_path):
    source, output = tmp_path / "in.wav", tmp_path / "out.wav"
    source.write_bytes(with_chunks(after=CUE + info(INAM=b"Station")))
    sound = decode(source)
    encode(sound.with_samples(sound.samples[::2].copy(), RATE // 2), output)
    assert b"cue " not in output.read_bytes()
    assert probe(output).tags["title"] == "Station"


def test_what_is_huge_is_left_out_and_nothing_else(again):
    huge = chunk(b"bext", bytes(1_000_001))
    data = again(with_chunks(before=huge + IXML, after=CUE)).read_bytes()
    assert IXML in data
    assert CUE in data
    assert len(data) < 100_000


@pytest.mark.parametrize(
    "more",
    [
        b"LIST\xff\xff\xff\xff",
        b"LIST\x00\x00\x00\x00",
        chunk(b"LIST", b"INFOINAM\xff\xff\xff\xffx"),
        chunk(b"LIST", b"INFOINAM"),
        chunk(b"LIST", b"IN"),
        b"cue ",
        chunk(b"bext", b""),
        b"LIST" * 5000,
    ],
)
def test_chunks_that_are_damaged_do_no_harm(more, again):
    written = again(with_chunks(after=more))
    assert decode(written).frames == 2 * RATE
    data = written.read_bytes()
    assert int.from_bytes(data[4:8], "little") == len(data) - 8


def test_sound_behind_a_header_that_was_never_completed_is_not_taken_for_chunks(tmp_path):
    data = bytearray(with_chunks(before=BEXT))
    at = data.index(b"data") + 4
    data[at : at + 4] = bytes(4)
    data[at + 4 :] = (b"LIST" + struct.pack("<I", 8) + b"INFOabcd") * 2000
    source = tmp_path / "in.wav"
    source.write_bytes(data)
    with source.open("rb") as file:
        assert [name for name, _ in kept_chunks(file.fileno())] == [b"bext"]


def six(mask):
    data = bytearray(encoded("WAVEX", "PCM_24", tone(0.1, channels=6)))
    at = data.index(b"fmt ") + 8
    data[at + 18 : at + 24] = struct.pack("<HI", 20, mask)
    return bytes(data)


def mask_of(path):
    data = path.read_bytes()
    return int.from_bytes(data[data.index(b"fmt ") + 28 :][:4], "little")


@pytest.mark.parametrize("mask", [0x60F, 0x3F, 0, 0x2003F])
def test_the_loudspeakers_of_the_channels_are_kept(mask, again):
    written = again(six(mask))
    assert mask_of(written) == mask
    assert mask_of(again(written.read_bytes(), container="RF64")) == mask


def test_microphones_are_not_said_to_be_loudspeakers(again):
    plain = encoded(samples=tone(0.1, channels=6))
    assert mask_of(again(plain, container="RF64")) == 0
    assert mask_of(again(plain, container="WAVEX")) == 0
    assert mask_of(again(encoded(samples=tone(0.1, channels=2)), container="WAVEX")) == 3


@pytest.mark.parametrize("name", ["DESCRIPTION", "COMMENT"])
@pytest.mark.parametrize(
    ("codec", "muxer"), [("libopus", "ogg"), ("flac", "flac"), ("flac", "ogg")]
)
def test_a_comment_is_kept_whatever_it_is_called(name, codec, muxer, tmp_path):
    from .made import made

    source, output = tmp_path / "in", tmp_path / "out"
    tags = {name.lower(): "at the station", "title": "Grüße"}
    source.write_bytes(made(tone(rate=48_000), 48_000, codec, muxer, tags=tags))
    sound = decode(source)
    assert (sound.frames, sound.repairs) == (96_000, ())
    encode(sound, output)
    found = probe(output).tags
    assert (found["comment"], found["title"]) == ("at the station", "Grüße")
    assert np.corrcoef(decode(output).samples[:, 0], sound.samples[:, 0])[0, 1] > 0.98
