"""The lengths that the headers of uncompressed files declare.

libsndfile quietly corrects them to what is in the file, so a truncated file looks whole to it.
Sources: Microsoft's RIFF specification (1991) and WAVEFORMATEX; EBU Tech 3306 (RF64); Sony's
Wave64; Apple's AIFF 1.3 and Core Audio Format 1.0; Sun's audio file format; NIST SPHERE.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator

from .access import read_at

__all__ = ["declared_frames", "is_rf64", "outgrows_its_header"]

_MAX_CHUNKS = 1000
_PCM, _FLOAT, _ALAW, _ULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_ONE_FRAME_A_BLOCK = {_PCM, _FLOAT, _ALAW, _ULAW}
_WAVE64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"

# What recorders write that do not know the length yet: ffmpeg all ones, SoX 0x7ffff000,
# others the greatest signed number, or nothing.
_UNKNOWN_LENGTHS = {0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000}
_UNKNOWN_FROM = 0xFFFFFF00
_MOST_BYTES = 2**32 + 8
"""Of a RIFF file: it counts them in 32 bits, but for the first eight."""


def declared_frames(container: str, descriptor: int, default: int | None) -> int | None:
    """Frames that the header declares; None where it says that it does not know.

    ``default`` for containers whose decoder tells the truth about them.
    """
    reader = _READERS.get(container)
    return default if reader is None else reader(descriptor)


def outgrows_its_header(descriptor: int) -> bool:
    """Whether it is a WAV file of more than 4 GiB, of which its header cannot tell the length."""
    head = read_at(descriptor, 0, 12)
    is_wav = head.startswith(b"RIFF") and head.endswith(b"WAVE")
    return is_wav and os.fstat(descriptor).st_size > _MOST_BYTES


def is_rf64(descriptor: int) -> bool:
    """Whether it is a WAV file of 64-bit lengths."""
    return read_at(descriptor, 0, 12).startswith(b"RF64")


def _wave(descriptor: int) -> int | None:
    if outgrows_its_header(descriptor):
        return None
    chunks = {}
    is_wave64 = read_at(descriptor, 0, 16) == _WAVE64_RIFF
    for name, offset, size in _wave_chunks(descriptor, is_wave64=is_wave64):
        chunks[name] = (offset, size)
        if name == b"data":
            break
    if b"fmt " not in chunks or b"data" not in chunks:
        return None
    code, channels, rate, byte_rate, align = _wave_format(descriptor, chunks[b"fmt "][0])
    size = chunks[b"data"][1]
    if b"ds64" in chunks and size == 0xFFFFFFFF:
        size = _unpack(descriptor, chunks[b"ds64"][0] + 8, "<Q")[0]
        if size == 0:
            return None
    elif size in _UNKNOWN_LENGTHS or _UNKNOWN_FROM <= size <= 0xFFFFFFFF:
        return None
    if code in _ONE_FRAME_A_BLOCK:
        return size // align if align and channels else None
    if b"fact" in chunks and not is_wave64:
        return _unpack(descriptor, chunks[b"fact"][0], "<I")[0] or None
    return size * rate // byte_rate if byte_rate else None


def _aiff(descriptor: int) -> int | None:
    for name, offset, _size in _chunks(descriptor, 12, ">4sI", align=2):
        if name == b"COMM":
            if read_at(descriptor, 8, 4) == b"AIFC":
                compression = read_at(descriptor, offset + 18, 4).lower()
                if compression not in _ONE_FRAME_A_PACKET:
                    return None
            return _unpack(descriptor, offset + 2, ">I")[0]
    return None


def _au(descriptor: int) -> int | None:
    order = "<" if read_at(descriptor, 0, 4) == b"dns." else ">"
    _start, size, encoding, _rate, channels = _unpack(descriptor, 4, order + "5I")
    frame = _AU_BYTES.get(encoding, 0) * channels
    return size // frame if frame and size != 0xFFFFFFFF else None


_ONE_FRAME_A_PACKET = {
    b"none",
    b"twos",
    b"sowt",
    b"raw ",
    b"in24",
    b"in32",
    b"fl32",
    b"fl64",
    b"ulaw",
    b"alaw",
}
_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}


def _caf(descriptor: int) -> int | None:
    frame = 0
    for name, offset, size in _chunks(descriptor, 8, ">4sQ", align=1):
        if name == b"desc":
            (frame,) = _unpack(descriptor, offset + 16, ">I")
        elif name == b"pakt":
            return _unpack(descriptor, offset + 8, ">Q")[0]
        elif name == b"data" and frame:
            unknown = size >= 1 << 63
            return None if unknown else (size - 4) // frame
    return None


def _nist(descriptor: int) -> int | None:
    found = re.search(rb"\nsample_count -i (\d{1,18})\n", read_at(descriptor, 0, 1024))
    return int(found[1]) if found else None


_READERS: dict[str, Callable[[int], int | None]] = {
    "WAV": _wave,
    "WAVEX": _wave,
    "RF64": _wave,
    "W64": _wave,
    "AIFF": _aiff,
    "AU": _au,
    "CAF": _caf,
    "NIST": _nist,
}


def _wave_chunks(descriptor: int, *, is_wave64: bool) -> Iterator[tuple[bytes, int, int]]:
    if not is_wave64:
        yield from _chunks(descriptor, 12, "<4sI", align=2)
        return
    # A Wave64 chunk is named by 16 bytes, of which the first four are the RIFF name, and its
    # size counts its own header.
    yield from _chunks(descriptor, 40, "<4s12xQ", align=8, counted=24)


def _chunks(
    descriptor: int, offset: int, header: str, *, align: int, counted: int = 0
) -> Iterator[tuple[bytes, int, int]]:
    length = struct.calcsize(header)
    for _ in range(_MAX_CHUNKS):
        head = read_at(descriptor, offset, length)
        if len(head) < length:
            return
        name, size = struct.unpack(header, head)
        size = max(size - counted, 0)
        yield name, offset + length, size
        offset += length + size + -size % align


def _wave_format(descriptor: int, offset: int) -> tuple[int, int, int, int, int]:
    code, channels, rate, byte_rate, align = _unpack(descriptor, offset, "<HHIIH")
    if code == _EXTENSIBLE:
        # The first two bytes of the sub-format's GUID are the plain format code.
        (code,) = _unpack(descriptor, offset + 24, "<H")
    return code, channels, rate, byte_rate, align


def _unpack(descriptor: int, offset: int, layout: str) -> tuple[int, ...]:
    """As many numbers as ``layout`` has; zeros where the file is too short for them."""
    length = struct.calcsize(layout)
    return struct.unpack(layout, read_at(descriptor, offset, length).ljust(length, b"\0"))
