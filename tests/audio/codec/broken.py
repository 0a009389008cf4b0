"""Every kind of bad recording, made by code: what it is, and what has to become of it."""

from __future__ import annotations

import io
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from .lossy import mp3

RATE = 16_000
SECONDS = 2.0

REFUSED, REPAIRED, WHOLE = "refused", "repaired", "whole"


@dataclass(frozen=True)
class Broken:
    """A bad input: ``make(path)`` puts it at ``path``.

    ``fate`` is ``REFUSED`` (``DecodeError``), ``REPAIRED`` (decoded, and it says what was wrong) or
    ``WHOLE`` (odd, but decoded as it is); ``says`` is in the reason, or in the repairs.
    """

    name: str
    make: Callable[[Path], object]
    fate: str
    says: str = ""

    def __str__(self) -> str:
        return self.name


def tone(seconds=SECONDS, rate=RATE, channels=1, seed=0):
    """A voice-like tone with a little noise, float32, shape (frames, channels), peak about 0.5."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).standard_normal((len(time), channels))
    wave = 0.4 * np.sin(2 * np.pi * 220 * time) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
    return np.float32(wave[:, None] + 0.02 * noise)


def encoded(container="WAV", subtype="PCM_16", samples=None, rate=RATE, **tags) -> bytes:
    """A whole file in memory."""
    samples = tone() if samples is None else np.asarray(samples)
    file = io.BytesIO()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(
        file, "w", rate, channels, format=container, subtype=subtype
    ) as writer:
        for name, text in tags.items():
            setattr(writer, name, text)
        writer.write(samples)
    return file.getvalue()


def wav_header(
    *, rate=RATE, channels=1, bits=16, data_bytes=0, code=1, riff_bytes=None, align=None
) -> bytes:
    """A 44-byte WAV header that says what it is told to."""
    align = (channels * bits // 8) % 65536 if align is None else align
    riff_bytes = data_bytes + 36 if riff_bytes is None else riff_bytes
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", riff_bytes & 0xFFFFFFFF, b"WAVE", b"fmt ", 16, code, channels, rate,
        rate * align & 0xFFFFFFFF, align, bits, b"data", data_bytes & 0xFFFFFFFF,
    )  # fmt: skip


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def garbled(data: bytes, at: float, size: int, seed=1) -> bytes:
    start = int(len(data) * at)
    noise = np.random.default_rng(seed).bytes(size)
    return data[:start] + noise + data[start + size :]


def with_numbers(value, positions, subtype="FLOAT") -> bytes:
    samples = tone().astype(np.float64 if subtype == "DOUBLE" else np.float32)
    samples[positions] = value
    return encoded(subtype=subtype, samples=samples)


def _bytes(make: Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(make())


def _socket(path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(path.parent)  # the whole path may be too long for a socket
    try:
        server.bind(path.name)
    finally:
        os.chdir(here)
        server.close()


def _itself(path: Path) -> None:
    path.symlink_to(path.name)


def _bomb() -> bytes:
    """A FLAC header that declares 2**36 - 1 frames of silence."""
    data = bytearray(encoded("FLAC", samples=np.zeros(RATE)))
    data[21] |= 0x0F
    data[22:26] = b"\xff" * 4
    return bytes(data)


def _unfinished_rf64() -> bytes:
    """As FFmpeg leaves it in a pipe: its 64-bit lengths were never filled in."""
    lengths = struct.pack("<4sIQQQI", b"ds64", 28, 0, 0, 0, 0)
    form = wav_header()[12:36]
    return b"RF64\xff\xff\xff\xffWAVE" + lengths + form + b"data\xff\xff\xff\xff" + _PCM


def _tagged_heavily() -> bytes:
    return encoded(comment="x" * 60_000, title="y" * 3_000)


_PCM = np.int16(tone()[:, 0] * 32767).tobytes()

BROKEN = [
    Broken("zero bytes.wav", _bytes(lambda: b""), REFUSED, "is empty"),
    Broken("one byte.wav", _bytes(lambda: b"\x00"), REFUSED, "no sound that can be read"),
    Broken("text.wav", _bytes(lambda: b"Dear diary,\nnothing.\n" * 99), REFUSED, "is text"),
    Broken("noise.wav", _bytes(lambda: garbled(bytes(99_999), 0, 99_999)), REFUSED, "no sound"),
    Broken("zeros.wav", _bytes(lambda: bytes(99_999)), REFUSED, "no sound"),
    Broken("folder.wav", lambda path: path.mkdir(), REFUSED, "is a folder"),
    Broken("pipe.wav", os.mkfifo, REFUSED, "is a named pipe"),
    Broken("socket.wav", _socket, REFUSED, "is a socket"),
    Broken("device.wav", lambda path: path.symlink_to("/dev/zero"), REFUSED, "is a device"),
    Broken("dangling.wav", lambda path: path.symlink_to("gone.wav"), REFUSED, "gone.wav"),
    Broken("itself.wav", _itself, REFUSED, "leads back to itself"),
    Broken("missing.wav", lambda path: None, REFUSED, "does not exist"),
    Broken("header only.wav", _bytes(wav_header), REFUSED, "no samples"),
    Broken(
        "4 billion frames.wav",
        _bytes(lambda: wav_header(bits=8, data_bytes=0xEEEEEEEE)),
        REFUSED,
        "has no samples, although its header declares 4,008,636,142",
    ),
    Broken("no samples.flac", _bytes(lambda: encoded("FLAC", samples=[])), REFUSED, "no samples"),
    Broken(
        "2 GHz.wav",
        _bytes(lambda: wav_header(rate=2_000_000_000, data_bytes=64_000) + _PCM),
        REFUSED,
        "a sample rate in Hz of 2,000,000,000",
    ),
    Broken(
        "no rate.wav",
        _bytes(lambda: wav_header(rate=0, data_bytes=64_000) + _PCM),
        REFUSED,
    ),
    Broken(
        "65535 channels.wav",
        _bytes(lambda: wav_header(channels=65535, data_bytes=64_000) + _PCM),
        REFUSED,
    ),
    Broken(
        "no channels.wav",
        _bytes(lambda: wav_header(channels=0, data_bytes=64_000) + _PCM),
        REFUSED,
    ),
    Broken("bomb.flac", _bytes(_bomb), REFUSED, "hours of sound"),
    Broken("cut.wav", _bytes(lambda: cut(encoded(), 0.5)), REPAIRED, "kept 1.0 s of the 2.0 s"),
    Broken("cut.aiff", _bytes(lambda: cut(encoded("AIFF"), 0.5)), REPAIRED, "of the 2.0 s"),
    Broken("cut.au", _bytes(lambda: cut(encoded("AU"), 0.5)), REPAIRED, "of the 2.0 s"),
    Broken("cut.caf", _bytes(lambda: cut(encoded("CAF"), 0.6)), REPAIRED, "of the 2.0 s"),
    Broken("cut.w64", _bytes(lambda: cut(encoded("W64"), 0.5)), REPAIRED, "of the 2.0 s"),
    Broken("cut.rf64", _bytes(lambda: cut(encoded("RF64"), 0.5)), REPAIRED, "of the 2.0 s"),
    Broken("cut.sph", _bytes(lambda: cut(encoded("NIST"), 0.5)), REPAIRED, "of the 2.0 s"),
    Broken("cut.flac", _bytes(lambda: cut(encoded("FLAC"), 0.5)), REPAIRED, "of the 2.0 s"),
    Broken("cut.mp3", _bytes(lambda: cut(encoded("MP3", "MPEG_LAYER_III"), 0.5)), REPAIRED, "kept"),
    Broken("cut.ogg", _bytes(lambda: cut(encoded("OGG", "VORBIS"), 0.9)), REPAIRED, "breaks off"),
    Broken("cut.opus", _bytes(lambda: cut(encoded("OGG", "OPUS"), 0.8)), REPAIRED, "breaks off"),
    Broken(
        "damaged.flac",
        _bytes(lambda: garbled(encoded("FLAC"), 0.5, 300)),
        REPAIRED,
        "filled with silence",
    ),
    Broken(
        "damaged.mp3",
        _bytes(lambda: garbled(encoded("MP3", "MPEG_LAYER_III"), 0.5, 1200)),
        REPAIRED,
        "of the 2.0 s its header declares",
    ),
    Broken(
        "damaged.ogg",
        _bytes(lambda: garbled(encoded("OGG", "VORBIS"), 0.5, 300)),
        REPAIRED,
        "damaged bytes",
    ),
    Broken(
        "endless.wav",
        _bytes(lambda: wav_header(data_bytes=0xFFFFFFFF, riff_bytes=0xFFFFFFFF) + _PCM),
        WHOLE,
    ),
    Broken(
        "unfinished.wav",
        _bytes(lambda: wav_header(data_bytes=0, riff_bytes=0) + _PCM),
        WHOLE,
    ),
    Broken("unfinished.rf64", _bytes(_unfinished_rf64), WHOLE),
    Broken("no length.mp3", _bytes(lambda: mp3(tone(rate=44_100), 44_100)), WHOLE),
    Broken("two in a row.ogg", _bytes(lambda: 2 * encoded("OGG", "VORBIS")), WHOLE),
    Broken("all NaN.wav", _bytes(lambda: with_numbers(np.nan, slice(None))), REFUSED, "100.0%"),
    Broken("2% NaN.wav", _bytes(lambda: with_numbers(np.nan, slice(0, 640))), REFUSED, "2.0%"),
    Broken("a NaN.wav", _bytes(lambda: with_numbers(np.nan, 777)), REPAIRED, "was not a number"),
    Broken("an Inf.wav", _bytes(lambda: with_numbers(-np.inf, [0, -1])), REPAIRED, "2 samples"),
    Broken(
        "1e300.wav",
        _bytes(lambda: with_numbers(1e300, 99, "DOUBLE")),
        REPAIRED,
        "was not a number",
    ),
    Broken(
        "a flipped bit.wav", _bytes(lambda: with_numbers(9e4, 5)), REPAIRED, "far beyond full scale"
    ),
    Broken(
        "integers as floats.wav",
        _bytes(lambda: encoded(subtype="FLOAT", samples=np.rint(tone() * 32767))),
        REPAIRED,
        "scale of 16-bit integers",
    ),
    Broken("silence.wav", _bytes(lambda: encoded(samples=np.zeros(RATE))), WHOLE),
    Broken("direct current.wav", _bytes(lambda: encoded(samples=np.full(RATE, 0.5))), WHOLE),
    Broken("clipped.wav", _bytes(lambda: encoded(samples=np.clip(tone() * 9, -1, 1))), WHOLE),
    Broken("one sample.wav", _bytes(lambda: encoded(samples=[0.5])), WHOLE),
    Broken("1 Hz.wav", _bytes(lambda: encoded(rate=1, samples=tone()[:60])), WHOLE),
    Broken("768 kHz.wav", _bytes(lambda: encoded(rate=768_000)), WHOLE),
    Broken("32 channels.wav", _bytes(lambda: encoded(samples=tone(channels=32))), WHOLE),
    Broken("a wav in truth.mp3", _bytes(encoded), WHOLE),
    Broken("heavily tagged.wav", _bytes(_tagged_heavily), WHOLE),
    Broken("trailing garbage.wav", _bytes(lambda: encoded() + b"\xff\xfb" * 999), WHOLE),
]
