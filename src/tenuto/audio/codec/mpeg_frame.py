"""What the header of an MPEG audio frame says of the frame.

Source: ISO/IEC 11172-3 and 13818-3.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

__all__ = ["Frame", "frame_at"]

_VERSION_1 = 3
_LAYER_1, _LAYER_2, _LAYER_3 = 3, 2, 1  # as they are numbered in a header
_MONO = 3
_KBIT = {
    (True, _LAYER_1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, _LAYER_2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, _LAYER_3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, _LAYER_1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, _LAYER_2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, _LAYER_3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


class Frame(NamedTuple):
    """One frame, by its first four bytes."""

    length: int
    """In bytes, with the header."""
    samples: int
    """In each channel."""
    rate: int
    """In Hz."""
    side_information: int
    """Bytes between the header and the sound, or what stands in its place; 0 below layer III."""


@lru_cache(maxsize=1024)  # a file has few different headers
def frame_at(head: bytes) -> Frame | None:
    """The frame that begins with these four bytes; None where none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version not in _RATES or layer == 0 or not 0 < bit_rate < 15 or rate == 3:
        return None
    first = version == _VERSION_1
    bits = 1000 * _KBIT[first, layer][bit_rate - 1]
    hertz = _RATES[version][rate]
    padding = head[2] >> 1 & 1
    if layer == _LAYER_1:
        return Frame((12 * bits // hertz + padding) * 4, 384, hertz, 0)
    samples = 1152 if first or layer == _LAYER_2 else 576
    side = 0
    if layer == _LAYER_3:
        mono = head[3] >> 6 == _MONO
        side = (17 if mono else 32) if first else (9 if mono else 17)
    return Frame(samples // 8 * bits // hertz + padding, samples, hertz, side)
