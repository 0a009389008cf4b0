"""Take chance and the time of day out of an encoded file, so that it can be rebuilt identically."""

from __future__ import annotations

import struct
from pathlib import Path


def make_steady(path: Path) -> None:
    """Give an Ogg stream the serial number 1, and a float WAV the time 0, in place.

    libsndfile draws the first at random, and stamps the second with the clock.
    """
    data = bytearray(path.read_bytes())
    if data.startswith(b"OggS"):
        _renumber(data)
    elif data.startswith(b"RIFF") and (peak := data.find(b"PEAK", 0, 200)) > 0:
        data[peak + 12 : peak + 16] = bytes(4)
    path.write_bytes(data)


def _renumber(data: bytearray) -> None:
    start = 0
    while start < len(data):
        # RFC 3533, section 6: serial number at 14, checksum at 22, lacing table from 26.
        segments = data[start + 26]
        end = start + 27 + segments + sum(data[start + 27 : start + 27 + segments])
        struct.pack_into("<I", data, start + 14, 1)
        struct.pack_into("<I", data, start + 22, 0)
        struct.pack_into("<I", data, start + 22, _checksum(data[start:end]))
        start = end


def _checksum(page: bytearray) -> int:
    """CRC-32 with polynomial 0x04C11DB7, neither reflected nor inverted (RFC 3533, section 6)."""
    value = 0
    for byte in page:
        value = (value << 8 & 0xFFFFFFFF) ^ _TABLE[value >> 24 ^ byte]
    return value


def _table_entry(index: int) -> int:
    value = index << 24
    for _ in range(8):
        value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
    return value & 0xFFFFFFFF


_TABLE = [_table_entry(index) for index in range(256)]
