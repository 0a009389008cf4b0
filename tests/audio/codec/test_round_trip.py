"""What is decoded and encoded again is what it was."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from tenuto.audio.codec import decode, encode, probe, writable_as
from tenuto.audio.sound import Sound, SourceFormat
from tenuto.errors import EncodeError, FaultClass, classify

from .broken import RATE, encoded, tone

EXACT = [
    ("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_32"),
    ("WAV", "FLOAT"), ("WAV", "DOUBLE"), ("WAV", "ULAW"), ("WAV", "ALAW"), ("WAVEX", "PCM_24"),
    ("RF64", "PCM_16"), ("W64", "PCM_24"), ("AIFF", "PCM_S8"), ("AIFF", "PCM_16"),
    ("AIFF", "FLOAT"), ("AU", "PCM_16"), ("AU", "DOUBLE"), ("CAF", "PCM_24"), ("CAF", "ALAC_16"),
    ("CAF", "ALAC_24"), ("NIST", "PCM_16"), ("FLAC", "PCM_S8"), ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"),
]  # fmt: skip

LOSSY = [
    ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("WAV", "IMA_ADPCM"),
    ("WAV", "MS_ADPCM"), ("WAV", "GSM610"),
]  # fmt: skip


def all_values(bits):
    """Every 8- or 16-bit integer, or a sample of the longer ones, as 32-bit integers."""
    if bits <= 16:
        values = np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1))
    else:
        values = np.random.default_rng(0).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), 50_000)
        values[:2] = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return (values << (32 - bits)).astype(np.int32)[:, None]


def sound_of(samples, rate=RATE, container="WAV", subtype="FLOAT", **more):
    samples = np.ascontiguousarray(samples, np.float32)
    return Sound(samples, rate, SourceFormat(container, subtype, rate, samples.shape[1], **more))


@pytest.fixture
def paths(tmp_path):
    return tmp_path / "in", tmp_path / "out"


@pytest.mark.parametrize(("container", "subtype"), EXACT)
def test_a_lossless_file_comes_back_exactly(container, subtype, paths):
    source, output = paths
    source.write_bytes(encoded(container, subtype, tone(channels=2)))
    sound = decode(source)
    encode(sound, output)
    again = decode(output)
    assert np.array_equal(again.samples, sound.samples)
    assert again.source == sound.source
    assert (again.source.container, again.source.subtype) == (container, subtype)
    assert not again.repairs


@pytest.mark.parametrize(
    ("container", "subtype", "bits"),
    [
        ("WAV", "PCM_U8", 8), ("AIFF", "PCM_S8", 8), ("WAV", "PCM_16", 16), ("AIFF", "PCM_16", 16),
        ("FLAC", "PCM_16", 16), ("WAV", "PCM_24", 24), ("FLAC", "PCM_24", 24),
    ],
)  # fmt: skip
def test_every_integer_survives(container, subtype, bits, paths):
    source, output = paths
    values = all_values(bits)
    source.write_bytes(encoded(container, subtype, values))
    encode(decode(source), output)
    written, _ = soundfile.read(output, dtype="int32", always_2d=True)
    assert np.array_equal(written, values)


def test_32_bit_integers_and_64_bit_floats_keep_the_24_bits_that_a_float32_has(paths):
    source, output = paths
    for subtype, samples in (("PCM_32", all_values(32)), ("DOUBLE", tone().astype(np.float64) / 3)):
        source.write_bytes(encoded("WAV", subtype, samples))
        encode(decode(source), output)
        before, _ = soundfile.read(source)
        after, _ = soundfile.read(output)
        assert np.max(np.abs(after - before)) <= 2.0**-24
        assert probe(output).subtype == subtype


@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
@pytest.mark.parametrize("container", ["AIFF", "AU", "CAF"])
def test_the_byte_order_is_kept(container, endian, paths):
    source, output = paths
    soundfile.write(source, tone(), RATE, format=container, subtype="PCM_16", endian=endian)
    sound = decode(source)
    encode(sound, output)
    assert probe(output).endian == sound.source.endian
    assert np.array_equal(decode(output).samples, sound.samples)


@pytest.mark.parametrize(("container", "subtype"), LOSSY)
def test_a_lossy_file_keeps_its_format_and_its_timing(container, subtype, paths):
    source, output = paths
    source.write_bytes(encoded(container, subtype))
    sound = decode(source)
    encode(sound, output)
    again = decode(output)
    assert (again.source.container, again.source.subtype) == (container, subtype)
    assert again.rate == sound.rate
    assert abs(again.frames - sound.frames) <= 512  # codecs in blocks fill up the last one
    length = sound.frames - 1000
    score = np.corrcoef(sound.samples[:length, 0], again.samples[:length, 0])[0, 1]
    assert score > 0.95
    assert not again.repairs


@pytest.mark.parametrize("container", ["M4A", "WEBM", "MP3", "ALAC"])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_ffmpeg_writes_keeps_length_and_timing(container, channels, paths):
    _, output = paths
    sound = sound_of(tone(channels=channels, rate=48_000), 48_000)
    encode(sound, output, container=container)
    once = decode(output)
    assert once.samples.shape == sound.samples.shape
    assert np.corrcoef(once.samples[:, 0], sound.samples[:, 0])[0, 1] > 0.98
    encode(once, output)
    again = decode(output)
    assert again.samples.shape == sound.samples.shape
    assert (again.source.container, again.source.subtype) == (
        once.source.container,
        once.source.subtype,
    )
    assert not again.repairs


@pytest.mark.parametrize("subtype", ["ALAC_16", "ALAC_24"])
def test_apple_lossless_in_m4a_is_lossless(subtype, paths):
    _, output = paths
    bits = int(subtype[-2:])
    sound = sound_of(np.float32(all_values(bits) / 2.0**31))
    encode(sound, output, container="M4A", subtype=subtype)
    assert np.array_equal(decode(output).samples, sound.samples)
    assert probe(output).subtype == subtype


@pytest.mark.parametrize("bit_rate", [64_000, 192_000])
def test_mp3_keeps_its_bit_rate(bit_rate, paths):
    _, output = paths
    source = {"container": "MP3", "subtype": "MPEG_LAYER_III", "bit_rate": bit_rate}
    encode(sound_of(tone(rate=44_100, channels=2, seconds=5), 44_100, **source), output)
    assert probe(output).bit_rate == pytest.approx(bit_rate, rel=0.1)


@pytest.mark.parametrize("container", ["WAV", "AIFF", "CAF", "W64"])
@pytest.mark.parametrize("rate", [1, 8_000, 44_100, 192_000, 768_000])
def test_any_rate(container, rate, paths):
    source, output = paths
    source.write_bytes(encoded(container, rate=rate, samples=tone()[:5000]))
    encode(decode(source), output)
    assert probe(output).rate == rate
    assert decode(output).frames == 5000


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 8, 9, 32, 256])
def test_any_number_of_channels(channels, paths):
    source, output = paths
    source.write_bytes(encoded(samples=tone(0.1, channels=channels)))
    sound = decode(source)
    encode(sound, output)
    assert decode(output).channels == channels
    assert np.array_equal(decode(output).samples, sound.samples)


TAGS = {"title": "Ünö", "artist": "Ä", "comment": "çok güzel", "date": "2020", "album": "x"}


@pytest.mark.parametrize(
    ("container", "subtype", "lost"),
    [
        ("WAV", "PCM_16", ()),
        ("FLAC", "PCM_16", ()),
        ("OGG", "VORBIS", ()),
        ("OGG", "OPUS", ()),
        ("CAF", "PCM_16", ()),
        ("MP3", "MPEG_LAYER_III", ()),
        ("M4A", "AAC", ()),
        ("WEBM", "OPUS", ()),
        ("AU", "PCM_16", TAGS),
    ],
)
def test_tags_are_kept_where_the_container_has_them(container, subtype, lost, paths):
    _, output = paths
    sound = sound_of(tone(rate=48_000), 48_000, container, subtype, tags=TAGS)
    encode(sound, output)
    found = dict(probe(output).tags)
    assert {name: found.get(name) for name in TAGS if name not in lost} == {
        name: text for name, text in TAGS.items() if name not in lost
    }


def test_a_tag_that_is_no_text_or_a_novel_does_no_harm(paths):
    _, output = paths
    encode(sound_of(tone(), tags={"title": "a\udcffb", "comment": "x" * 10**6}), output)
    tags = probe(output).tags
    assert tags["title"] == "a?b"
    assert 1000 <= len(tags["comment"]) <= 4096


def test_integers_are_clipped_and_never_wrapped(paths):
    _, output = paths
    samples = np.array([[2.0], [-2.0], [1.0], [-1.0], [1e9], [0.0]])
    for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32"):
        encode(sound_of(samples), output, container="WAV", subtype=subtype)
        written = decode(output).samples[:, 0]
        assert written == pytest.approx([1, -1, 1, -1, 1, 0], abs=2**-7)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_floats_on_the_scale_of_integers_return_to_it(subtype, paths):
    source, output = paths
    loud = np.rint(tone() * 32767)
    source.write_bytes(encoded("WAV", subtype, loud))
    sound = decode(source)
    assert np.abs(sound.samples).max() <= 1
    assert sound.source.full_scale == 32768
    encode(sound, output)
    assert np.array_equal(soundfile.read(output, always_2d=True)[0], loud)
    encode(sound, output, container="WAV", subtype="PCM_16")
    assert np.array_equal(soundfile.read(output, dtype="int16", always_2d=True)[0], loud)


def test_a_hot_recording_is_left_as_it_is(paths):
    source, output = paths
    source.write_bytes(encoded("WAV", "FLOAT", tone() * 4))
    sound = decode(source)
    assert np.abs(sound.samples).max() > 1
    assert not sound.repairs
    encode(sound, output)
    assert np.array_equal(decode(output).samples, sound.samples)


def test_a_long_wav_becomes_rf64(paths, monkeypatch):
    monkeypatch.setattr("tenuto.audio.codec.writing._LONGEST_WAV", 1000)
    _, output = paths
    encode(sound_of(tone(), subtype="PCM_16"), output)
    assert probe(output).container == "RF64"
    encode(decode(output), output)
    assert decode(output).frames == len(tone())


REFUSED = [
    ("OPUS", 44_100, 1, "8000, 12000, 16000, 24000, 48000 Hz, and this is 44100"),
    ("MP3", 96_000, 1, "and this is 96000"),
    ("MP3", 16_000, 6, "at most 2 channels, and this has 6"),
    ("AAC", 1_000, 1, "and this is 1000"),
    ("AAC", 48_000, 8, "at most 6 channels"),
    ("VORBIS", 200_001, 1, "1 to 200000 Hz"),
    ("FLAC", 768_000, 1, "1 to 655350 Hz"),
    ("FLAC", 200_001, 1, "and this is 200001"),
    ("FLAC", 16_000, 9, "at most 8 channels"),
    ("WMA", 16_000, 1, "cannot be written"),
]


@pytest.mark.parametrize(("container", "rate", "channels", "says"), REFUSED)
def test_what_a_format_cannot_hold_is_refused_with_the_reason(
    container, rate, channels, says, paths
):
    _, output = paths
    sound = sound_of(tone(0.1, channels=channels), rate)
    with pytest.raises(EncodeError) as refusal:
        encode(sound, output, container=container)
    assert says in str(refusal.value)
    assert "choose FLAC or WAV" in str(refusal.value)
    assert str(output) in str(refusal.value)
    assert classify(refusal.value) is FaultClass.DATA
    assert not output.exists()


def test_a_subtype_that_a_container_has_not_is_refused(paths):
    _, output = paths
    with pytest.raises(EncodeError, match="cannot be written"):
        encode(sound_of(tone()), output, container="FLAC", subtype="FLOAT")
    with pytest.raises(EncodeError, match="cannot be written"):
        encode(sound_of(tone()), output, subtype="VORBIS")


@pytest.mark.parametrize(
    ("container", "subtype", "asked", "becomes"),
    [
        ("WAV", "PCM_24", None, ("WAV", "PCM_24", ".wav")),
        ("WAV", "FLOAT", "flac", ("FLAC", "PCM_24", ".flac")),
        ("WAV", "PCM_U8", "flac", ("FLAC", "PCM_S8", ".flac")),
        ("FLAC", "PCM_S8", "wav", ("WAV", "PCM_U8", ".wav")),
        ("MP3", "MPEG_LAYER_III", "wav", ("WAV", "PCM_16", ".wav")),
        ("OGG", "VORBIS", "ogg", ("OGG", "VORBIS", ".ogg")),
        ("WAV", "PCM_16", "opus", ("OGG", "OPUS", ".opus")),
        ("ADTS", "AAC", None, ("M4A", "AAC", ".m4a")),
        ("MATROSKA", "OPUS", None, ("OGG", "OPUS", ".opus")),
        ("ASF", "WMAV2", None, ("FLAC", "PCM_16", ".flac")),
        ("WV", "WAVPACK", None, ("FLAC", "PCM_16", ".flac")),
        ("VOC", "PCM_16", None, ("FLAC", "PCM_16", ".flac")),
    ],
)
def test_one_can_ask_before_what_will_be_written(container, subtype, asked, becomes):
    source = SourceFormat(container, subtype, 16_000, 1)
    target = writable_as(source, asked)
    assert (target.container, target.subtype, target.suffix) == becomes
    assert bool(target.reason) == ((container, subtype) != becomes[:2])


def test_many_channels_that_cannot_stay_where_they_are_go_to_wav():
    target = writable_as(SourceFormat("VOC", "FLOAT", 16_000, 12))
    assert (target.container, target.subtype) == ("WAV", "FLOAT")


def test_an_aiff_of_more_than_4_gib_cannot_stay_aiff():
    source = SourceFormat("AIFF", "DOUBLE", 48_000, 2, declared_frames=2**29)
    assert writable_as(source).container == "FLAC"
    assert "4 GiB" in writable_as(source).reason


def test_a_format_that_cannot_be_kept_is_not_changed_behind_ones_back(paths):
    _, output = paths
    sound = sound_of(tone(), container="ASF", subtype="WMAV2")
    with pytest.raises(EncodeError, match="FLAC holds it; name it as the container"):
        encode(sound, output)
    target = writable_as(sound.source)
    encode(sound, output, container=target.container, subtype=target.subtype)
    assert decode(output).frames == sound.frames


def test_no_samples_and_no_numbers_are_not_written(paths):
    _, output = paths
    with pytest.raises(EncodeError, match="no samples"):
        encode(sound_of(np.zeros((0, 1))), output)
    for container in ("WAV", "MP3"):
        with pytest.raises(EncodeError, match="not numbers"):
            encode(sound_of(np.full((9, 1), np.nan)), output, container=container)
        assert not output.exists()


def test_the_sound_may_be_shorter_than_its_source_was(paths):
    source, output = paths
    source.write_bytes(encoded("FLAC"))
    sound = decode(source)
    half = sound.with_samples(sound.samples[:16_000])
    encode(half, output)
    assert decode(output).frames == 16_000
    resampled = sound.with_samples(sound.samples[::2].copy(), RATE // 2)
    encode(resampled, output)
    assert (probe(output).rate, probe(output).duration) == (8_000, 2.0)


def test_64_bit_integers_are_read(paths):
    import av

    source, _ = paths
    buffer = io.BytesIO()
    wave = np.rint(tone()[:, 0] * 2**40).astype(np.int64)
    with av.open(buffer, "w", format="nut") as container:
        stream = container.add_stream("pcm_s64le", rate=RATE)
        stream.codec_context.layout = "mono"
        frame = av.AudioFrame.from_ndarray(
            (wave.astype(np.float64) / 2.0**40)[None], format="dbl", layout="mono"
        )
        frame.sample_rate = RATE
        for converted in av.AudioResampler(format="s64", layout="mono", rate=RATE).resample(frame):
            container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    source.write_bytes(buffer.getvalue())


def test_equal_sources_are_equal_and_a_sound_refuses_what_is_none():
    source = SourceFormat("WAV", "PCM_16", RATE, 1)
    assert replace(source) == source
    assert source.duration is None
    for wrong in (np.zeros(9), np.zeros((9, 1)), np.zeros((4, 9), np.float32).T):
        with pytest.raises(TypeError, match="C-contiguous float32"):
            Sound(wrong, RATE, source)
