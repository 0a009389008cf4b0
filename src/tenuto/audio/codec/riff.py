"""What libsndfile does not keep of a WAV file: the chunks around the sound.

Sources: Microsoft's RIFF specification (1991) for ``LIST``, ``cue`` and ``fact``, and its
WAVEFORMATEXTENSIBLE; EBU Tech 3285 for ``bext`` and Tech 3306 for RF64; iXML 2.10.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tenuto.audio.sound import Chunks

from .access import read_at

__all__ = ["complete", "kept_chunks", "repeating", "subwoofer", "texts"]

_MOST_BYTES = 1_000_000
"""Of all that is kept of one file. What does not fit in is left out, whole."""

_KEPT = {b"bext", b"iXML", b"cue ", b"LIST"}
_MAX_CHUNKS = 1000
_MAX_TEXT = 4096
_EXTENSIBLE = b"\xfe\xff"
_EXTENSIBLE_BYTES = 40
_LFE = 1 << 3  # its bit in the mask of loudspeakers; the channels come in the order of the bits
# Those that libsndfile knows, too.
_TEXTS = {
    b"INAM": "title",
    b"IART": "artist",
    b"ICMT": "comment",
    b"ICRD": "date",
    b"IPRD": "album",
    b"IGNR": "genre",
    b"ICOP": "copyright",
    b"ITRK": "tracknumber",
}
_PROGRAM = b"ISFT"  # names the program which wrote the file: it will be another one


class _Place(NamedTuple):
    name: bytes
    offset: int
    size: int


def kept_chunks(descriptor: int) -> Chunks:
    """Who recorded it (``bext``, ``iXML``), marks (``cue``) and texts (``LIST``), as they are.

    The format (``fmt``) is among them if it says which loudspeakers the channels are for.
    """
    kept, room = [], _MOST_BYTES
    for name, offset, size in _places(descriptor):
        if name == b"fmt ":
            content = read_at(descriptor, offset, _EXTENSIBLE_BYTES)
            if size == len(content) and content.startswith(_EXTENSIBLE):
                kept.append((name, content))
        elif name in _KEPT and size <= room:
            content = read_at(descriptor, offset, size)
            room -= len(content)
            kept.append((name, content))
    return tuple(kept)


def texts(chunks: Chunks) -> dict[str, str]:
    """The tags among ``chunks``. No encoding is told: UTF-8 where it can be, else cp1252."""
    found = {}
    for name, content in chunks:
        for key, raw in _fields(name, content):
            if key in _TEXTS and (text := _decoded(raw)):
                found[_TEXTS[key]] = text[:_MAX_TEXT]
    return found


def subwoofer(chunks: Chunks) -> int | None:
    """Which channel is for low frequencies only, as far as ``chunks`` say."""
    for name, content in chunks:
        if name == b"fmt ":
            (mask,) = struct.unpack_from("<I", content, 20)
            return (mask % _LFE).bit_count() if mask & _LFE else None
    return None


def repeating(chunks: Chunks, tags: Mapping[str, str]) -> Chunks:
    """The ``chunks`` to be written again to a file that is to have these tags."""
    same = texts(chunks).items() <= tags.items()
    kept = []
    for name, content in chunks:
        fields = list(_fields(name, content))
        if not fields:
            kept.append((name, content))
        elif same:
            again = (_chunk(key, raw) for key, raw in fields if key != _PROGRAM)
            kept.append((name, b"INFO" + b"".join(again)))
    return tuple(kept)


def complete(descriptor: int, chunks: Chunks, *, frames: int | None = None) -> None:
    """Put into a whole WAV or RF64 file what libsndfile has not. Raises ``OSError``.

    ``chunks`` go behind the sound. ``frames`` is its length, where that is rounded up.
    """
    places = {place.name: place for place in _places(descriptor)}
    if b"fmt " in places:
        _name_speakers(descriptor, places[b"fmt "], dict(chunks).get(b"fmt "))
    if frames is not None and b"fact" in places:
        _write(descriptor, places[b"fact"].offset, struct.pack("<I", min(frames, 2**32 - 1)))
    more = b"".join(_chunk(*each) for each in chunks if each[0] != b"fmt ")
    if not more:
        return
    end = os.fstat(descriptor).st_size
    end += end % 2
    _write(descriptor, end, more)
    size = end + len(more) - 8
    if b"ds64" in places:
        _write(descriptor, places[b"ds64"].offset, struct.pack("<Q", size))
    else:
        _write(descriptor, 4, struct.pack("<I", size))


def _name_speakers(descriptor: int, place: _Place, told: bytes | None) -> None:
    """By what the source told: to libsndfile six channels are always 5.1."""
    form = read_at(descriptor, place.offset, min(place.size, _EXTENSIBLE_BYTES))
    if len(form) < _EXTENSIBLE_BYTES or not form.startswith(_EXTENSIBLE):
        return
    if told and told[2:4] == form[2:4]:
        _write(descriptor, place.offset + 20, told[20:24])
    elif int.from_bytes(form[2:4], "little") > 2:
        _write(descriptor, place.offset + 20, bytes(4))


def _places(descriptor: int) -> Iterator[_Place]:
    head = read_at(descriptor, 0, 12)
    if head[:4] not in {b"RIFF", b"RF64"} or head[8:] != b"WAVE":
        return
    end = os.fstat(descriptor).st_size
    offset, long_data = 12, 0
    for _ in range(_MAX_CHUNKS):
        head = read_at(descriptor, offset, 8)
        if len(head) < 8:
            return
        name, size = struct.unpack("<4sI", head)
        offset += 8
        if name == b"ds64":
            long_data = int.from_bytes(read_at(descriptor, offset + 8, 8), "little")
        elif name == b"data" and size == 0xFFFFFFFF:
            size = long_data
        yield _Place(name, offset, size)
        if name == b"data" and not 0 < size < end - offset:
            return  # nothing follows, or the length was never filled in and sound does
        offset += size + size % 2


def _fields(name: bytes, content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The texts in a chunk, none if it is for something else."""
    if name != b"LIST" or not content.startswith(b"INFO"):
        return
    offset = 4
    while offset + 8 <= len(content):
        key, size = struct.unpack_from("<4sI", content, offset)
        offset += 8
        yield key, content[offset : offset + size]
        offset += size + size % 2


def _decoded(raw: bytes) -> str:
    raw = raw.split(b"\0", 1)[0]
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content + bytes(len(content) % 2)


def _write(descriptor: int, offset: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(descriptor, left, offset)
        left, offset = left[written:], offset + written
