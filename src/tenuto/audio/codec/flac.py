"""Where the frames of a FLAC stream are, for a decoder that has lost its way among damaged ones.

Source: RFC 9639, section 9.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["FlacFrame", "flac_frames"]

_LONGEST_HEADER = 16
_FIXED = {1: 192} | {code: 576 << (code - 2) for code in range(2, 6)}
_FIXED |= {code: 256 << (code - 8) for code in range(8, 16)}
_BYTES_OF_SIZE = {6: 1, 7: 2}
_BYTES_OF_RATE = {12: 1, 13: 2, 14: 2}


class FlacFrame(NamedTuple):
    """What looks like the header of a frame: one time in 256 it does so by chance."""

    offset: int
    """In bytes."""
    start: int
    """In samples from the beginning of the stream."""


def flac_frames(data: bytes, block: int) -> Iterator[FlacFrame]:
    """Where frames begin in ``data``; ``block`` is how many samples the stream has in a frame."""
    offset = -1
    while (offset := data.find(b"\xff", offset + 1)) >= 0:
        head = data[offset : offset + _LONGEST_HEADER]
        if len(head) > 5 and head[1] in (0xF8, 0xF9) and (found := _number(head)):
            number, end = found
            size, end = _block(head, end)
            if size and end < len(head) and _crc8(head[:end]) == head[end]:
                is_fixed = head[1] == 0xF8
                yield FlacFrame(offset, number * block if is_fixed else number)


def _number(head: bytes) -> tuple[int, int] | None:
    """The number of the frame, or of its first sample, and where the header goes on after it."""
    first = head[4]
    ones = 8 - (first ^ 0xFF).bit_length()
    if ones in (1, 8):
        return None
    length = max(ones, 1)
    rest = head[5 : 4 + length]
    if len(rest) < length - 1 or any(byte & 0xC0 != 0x80 for byte in rest):
        return None
    number = first & (0x7F >> ones)
    for byte in rest:
        number = number << 6 | byte & 0x3F
    return number, 4 + length


def _block(head: bytes, at: int) -> tuple[int, int]:
    """How many samples the frame has, 0 where that cannot be, and where its checksum is."""
    code, rate = head[2] >> 4, head[2] & 0x0F
    width = _BYTES_OF_SIZE.get(code, 0)
    size = int.from_bytes(head[at : at + width]) + 1 if width else _FIXED.get(code, 0)
    return 0 if rate == 15 or head[3] & 1 else size, at + width + _BYTES_OF_RATE.get(rate, 0)


def _crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 0x107) if value & 0x80 else value << 1
    return value
