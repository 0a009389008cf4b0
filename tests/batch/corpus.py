"""Bad recordings, made by code, and how each has to end when a worker meets it.

``python -m tests.batch.corpus`` prints the table in ``docs/bad-inputs.md``.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.audio.codec.broken import BROKEN, RATE, REFUSED, REPAIRED, encoded, tone

ENHANCED, DEGRADED, QUARANTINED = "enhanced", "degraded", "quarantined"


@dataclass(frozen=True)
class Bad:
    """``make(path)`` puts a bad recording at ``path``, of which ``says`` is told.

    It ends with ``status``, made by ``tier``; what is quarantined is so by an error of the class
    ``data``. ``name`` is its file's, and says what is wrong with it.
    """

    name: str
    make: Callable[[Path], object]
    status: str
    tier: str | None
    says: str = ""

    def __str__(self) -> str:
        return self.name


# Of what the decoder hands on, by the name in the decoder's own corpus.
_LEFT_AS_THEY_ARE = {
    "silence.wav": "it is silent",
    "one sample.wav": "too short",
    "1 Hz.wav": "no speech band",
    "direct current.wav": "the speech",
}
_NO_BETTER = {"cut.flac", "damaged.flac"}
"""Half of the sound is missing, or the half is silent: what an engine makes of it is no better."""


def _known() -> Iterator[Bad]:
    for each in BROKEN:
        if each.name == "no samples.flac":
            yield Bad(each.name, each.make, QUARANTINED, None, "is empty")
        elif each.fate == REFUSED:
            yield Bad(each.name, each.make, QUARANTINED, None, each.says)
        elif each.name == "768 kHz.wav":
            continue  # too short to be enhanced; a longer one is below
        elif each.fate == REPAIRED:
            tier = "original" if each.name in _NO_BETTER else "basic"
            yield Bad(each.name, each.make, DEGRADED, tier, each.says)
        elif each.name in _LEFT_AS_THEY_ARE:
            says = _LEFT_AS_THEY_ARE[each.name]
            yield Bad(each.name, each.make, DEGRADED, "original", says)
        else:
            yield Bad(each.name, each.make, ENHANCED, "basic")


def _bytes(make: Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(make())


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    value, top = 0, 1 << (bits - 1)
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial) if value & top else value << 1
            value &= (1 << bits) - 1
    return value


def flac_bomb(frames: int, channels: int = 8) -> bytes:
    """Silence, in 43 bytes for each 65,535 samples of eight channels; its length is not declared.

    Written by the format's description (RFC 9639): a frame of constant subframes.
    """
    block = 65_535
    packed = (48_000 << 44) | ((channels - 1) << 41) | (15 << 36)
    info = struct.pack(">HH", block, block) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    data = [b"fLaC", bytes([0x80]), len(info).to_bytes(3, "big"), info]
    for number in range(frames):
        coded = chr(number).encode("utf-8", "surrogatepass")  # the format counts frames like this
        head = (
            b"\xff\xf8" + bytes([0x70, (channels - 1) << 4]) + coded + struct.pack(">H", block - 1)
        )
        frame = head + bytes([_crc(head, 0x07, 8)]) + bytes(3 * channels)
        data.append(frame + struct.pack(">H", _crc(frame, 0x8005, 16)))
    return b"".join(data)


def _mp3_behind_a_tag() -> bytes:
    """An ID3 tag that says it is 256 MB long, where the whole file has a few thousand bytes."""
    return b"ID3\x04\x00\x00" + b"\x7f" * 4 + encoded("MP3", "MPEG_LAYER_III")


def _many_chunks() -> bytes:
    """A WAV with 50,000 chunks that nobody knows, before the sound."""
    sound = encoded()
    junk = struct.pack("<4sI2s", b"junk", 2, b"xx") * 50_000
    size = len(sound) + len(junk) - 8
    return b"RIFF" + struct.pack("<I", size) + sound[8:36] + junk + sound[36:]


def _endless_list() -> bytes:
    """A WAV with a list of texts that is 4 GB long, as it says, and ends after 20 bytes."""
    sound = encoded()
    return sound + struct.pack("<4sI4s4sI", b"LIST", 0xFFFFFFF0, b"INFO", b"INAM", 0xFFFFFFFF)


def _picture() -> bytes:
    """A FLAC with a picture of 16 MB of which there are 9 bytes."""
    sound = encoded("FLAC")
    return sound[:42] + b"\x06\xff\xff\xff" + b"a picture" + sound[42:]


def _comments() -> bytes:
    """An Ogg file that says it has four billion comments."""
    sound = encoded("OGG", "VORBIS", comment="one")
    place = sound.index(b"\x03vorbis") + 7
    length = struct.unpack_from("<I", sound, place)[0]
    return _patched(sound, place + 4 + length, b"\xff\xff\xff\xff")


def _patched(data: bytes, place: int, new: bytes) -> bytes:
    return data[:place] + new + data[place + len(new) :]


def _unknown_codec() -> bytes:
    sound = encoded("CAF")
    return sound.replace(b"lpcm", b"lp#m", 1)


def _nested_atoms() -> bytes:
    """An MP4 file of boxes in boxes, each of the greatest size there is."""
    box = struct.pack(">I4sQ", 1, b"moov", 2**63 - 1)
    return struct.pack(">I4s4sI", 16, b"ftyp", b"M4A ", 0) + box * 2_000


def _fast() -> bytes:
    time = np.arange(768_000) / 768_000
    return encoded(rate=768_000, samples=np.interp(time, np.arange(RATE) / RATE, tone()[:RATE, 0]))


CORPUS = [
    *_known(),
    Bad("a second at 768 kHz.wav", _bytes(_fast), ENHANCED, "basic"),
    Bad("a flac in truth.wav", _bytes(lambda: encoded("FLAC")), ENHANCED, "basic"),
    Bad(
        "bomb without a length.flac", _bytes(lambda: flac_bomb(60)), DEGRADED, "original", "silent"
    ),
    Bad("50,000 chunks.wav", _bytes(_many_chunks), ENHANCED, "basic"),
    Bad("tag of 256 MB.mp3", _bytes(_mp3_behind_a_tag), QUARANTINED, None),
    Bad("list of 4 GB.wav", _bytes(_endless_list), ENHANCED, "basic"),
    Bad("picture of 16 MB.flac", _bytes(_picture), QUARANTINED, None),
    Bad("4 billion comments.ogg", _bytes(_comments), QUARANTINED, None),
    Bad("endless boxes.m4a", _bytes(_nested_atoms), QUARANTINED, None),
    Bad("unknown codec.caf", _bytes(_unknown_codec), QUARANTINED, None, "nothing here decodes"),
]

_HEADERS = {
    "wav": (encoded, 44),
    "aiff": (lambda: encoded("AIFF"), 56),
    "flac": (lambda: encoded("FLAC"), 90),
    "ogg": (lambda: encoded("OGG", "VORBIS"), 120),
    "mp3": (lambda: encoded("MP3", "MPEG_LAYER_III"), 40),
    "w64": (lambda: encoded("W64"), 104),
    "caf": (lambda: encoded("CAF"), 80),
}


def cut_headers() -> Iterator[tuple[str, bytes]]:
    """Each format, cut off after every byte of its header: name and content."""
    for suffix, (make, length) in _HEADERS.items():
        whole = make()
        for size in range(length):
            yield f"the first {size} bytes.{suffix}", whole[:size]


def flipped_bits(seed: int, each: int) -> Iterator[tuple[str, bytes]]:
    """Of each format ``each`` files with up to eight bits flipped, most of them in the header."""
    chance = random.Random(seed)
    for suffix, (make, length) in _HEADERS.items():
        whole = make()
        for number in range(each):
            data = bytearray(whole)
            for _ in range(chance.randint(1, 8)):
                place = chance.randrange(length if chance.random() < 0.8 else len(data))
                data[place] ^= 1 << chance.randrange(8)
            yield f"bits flipped {number}.{suffix}", bytes(data)


def table() -> str:
    """The corpus as it stands in the document."""
    rows = [
        f"| `{each}` | {each.status} | {each.tier or ' '} | {each.says or ' '} |" for each in CORPUS
    ]
    return "\n".join(["| file | ends | by | because |", "|---|---|---|---|", *rows])


if __name__ == "__main__":
    print(table())  # noqa: T201
