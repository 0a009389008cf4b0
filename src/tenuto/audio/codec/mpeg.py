"""What the frames of an MPEG audio file (MP3) tell: its decoder skips damage without a word.

Source: ISO/IEC 11172-3 and 13818-3; ID3v2.4 for the tag in front.
"""

from __future__ import annotations

from functools import lru_cache

from .access import ByteWindow

__all__ = ["flaws_of_mpeg"]

_VERSION_1 = 3
_LAYER_1, _LAYER_2, _LAYER_3 = 3, 2, 1  # as they are numbered in a header
_KBIT = {
    (True, _LAYER_1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, _LAYER_2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, _LAYER_3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, _LAYER_1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, _LAYER_2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, _LAYER_3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_TAGS = (b"TAG", b"APET", b"LYRI", b"ID3")
_SCAN = 1 << 16


def flaws_of_mpeg(descriptor: int) -> tuple[str, ...]:
    """Walk the frames, and count the bytes between them that are none."""
    window = ByteWindow(descriptor)
    offset = _to_next_frame(window, _after_tag(window))
    skipped = missing = 0
    while len(head := window.at(offset, 4)) == 4 and not head.startswith(_TAGS):
        length = _frame_length(head)
        if length:
            offset += length
            missing = length - len(window.at(offset - length, length))
        else:
            sound = _to_next_frame(window, offset)
            skipped += len(window.at(offset, sound - offset).strip(b"\0"))
            offset = sound
    flaws = []
    if skipped:
        flaws.append(f"{skipped:,} damaged bytes were skipped")
    if missing:
        flaws.append("it breaks off in the middle of a frame")
    return tuple(flaws)


def _after_tag(window: ByteWindow) -> int:
    head = window.at(0, 10)
    if not head.startswith(b"ID3") or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _to_next_frame(window: ByteWindow, offset: int) -> int:
    """Where two frames follow one another, or a last one is followed by the end."""
    while scanned := window.at(offset, _SCAN):
        at = 0
        while (at := scanned.find(0xFF, at)) >= 0:
            length = _frame_length(window.at(offset + at, 4))
            after = window.at(offset + at + length, 4)
            if length and (len(after) < 4 or after.startswith(_TAGS) or _frame_length(after)):
                return offset + at
            at += 1
        offset += len(scanned)
    return offset


@lru_cache(maxsize=1024)  # a file has few different headers
def _frame_length(head: bytes) -> int:
    """The length in bytes of the frame that begins with these four; 0 where none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version not in _RATES or layer == 0 or not 0 < bit_rate < 15 or rate == 3:
        return 0
    bits = 1000 * _KBIT[version == _VERSION_1, layer][bit_rate - 1]
    hertz = _RATES[version][rate]
    padding = head[2] >> 1 & 1
    if layer == _LAYER_1:
        return (12 * bits // hertz + padding) * 4
    short = layer == _LAYER_3 and version != _VERSION_1
    return (72 if short else 144) * bits // hertz + padding
