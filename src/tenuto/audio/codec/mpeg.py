"""How long an MPEG audio file (MP3) is, and what is wrong with it.

Its decoder skips damage without a word, and guesses the length of a file that does not tell it.
Source: ISO/IEC 11172-3 and 13818-3; ID3v2.4 and APEv2 for the tags; for what encoders say of the
whole in its first frame, the Xing and VBRI headers as LAME and Fraunhofer write them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .access import ByteWindow
from .mpeg_frame import Frame, frame_at

__all__ = ["Extent", "declared_in_mpeg", "walk_through_mpeg"]

_TAGS = (b"TAG", b"APET", b"LYRI", b"ID3")
_SCAN = 1 << 16
_VBRI_AT = 36


@dataclass(frozen=True, slots=True)
class Extent:
    """How much sound there is in an MPEG file."""

    samples: int
    """In each channel."""
    size: int
    """Of its frames, in bytes; without tags and damage."""
    flaws: tuple[str, ...] = ()

    def bit_rate(self, rate: int) -> int | None:
        """The average, where there is anything to take it of."""
        return self.size * 8 * rate // self.samples if self.samples else None


def declared_in_mpeg(descriptor: int) -> Extent | None:
    """What the first frame says of the whole; None where it says nothing, or less than is there."""
    window = ByteWindow(descriptor)
    start = _first_frame(window)
    first = frame_at(window.at(start, 4))
    count, size = _stated(window, start, first) if first else (0, 0)
    # Some count the first frame itself, which is no sound, and some do not.
    if not first or not count or not size or _goes_on(window, start + size + first.length):
        return None
    return Extent(count * first.samples, size)


def walk_through_mpeg(descriptor: int) -> Extent:
    """Count the frames, and the bytes between them that are none."""
    window = ByteWindow(descriptor)
    offset = _first_frame(window)
    first = frame_at(window.at(offset, 4))
    rate = first.rate if first else 0
    if first and any(_stated(window, offset, first)):
        offset += first.length
    samples = size = others = skipped = missing = 0
    while len(head := window.at(offset, 4)) == 4:
        frame = frame_at(head)
        if frame:
            offset += frame.length
            missing = frame.length - len(window.at(offset - frame.length, frame.length))
            if frame.rate != rate:
                others += 1
            elif not missing:
                samples += frame.samples
                size += frame.length
            continue
        after = _after_tag(window, offset)
        sound = _to_next_frame(window, after)
        if after == offset:
            skipped += len(window.at(offset, sound - offset).strip(b"\0"))
        offset = sound
    flaws = []
    if skipped:
        flaws.append(f"{skipped:,} damaged bytes were skipped")
    if others:
        flaws.append(f"{others:,} frames of another sample rate are left out")
    if missing:
        flaws.append("it breaks off in the middle of a frame")
    return Extent(samples, size, tuple(flaws))


def _first_frame(window: ByteWindow) -> int:
    return _to_next_frame(window, _after_tag(window, 0))


def _goes_on(window: ByteWindow, offset: int) -> bool:
    """Whether frames follow at ``offset``: files that were joined say how long the first was."""
    found = _to_next_frame(window, _after_tag(window, offset))
    frame = frame_at(window.at(found, 4))
    return frame is not None and frame_at(window.at(found + frame.length, 4)) is not None


def _stated(window: ByteWindow, offset: int, frame: Frame) -> tuple[int, int]:
    """How many frames and bytes there are, as the ``frame`` at ``offset`` says.

    Zeros if it does not, or if its encoder could not go back to it at the end.
    """
    if not frame.side_information:
        return 0, 0
    for checksum in (0, 2):  # not all make room for it
        xing = window.at(offset + 4 + checksum + frame.side_information, 16)
        if xing.startswith((b"Xing", b"Info")) and len(xing) == 16:
            flags, *numbers = struct.unpack(">4xIII", xing)
            count = numbers.pop(0) if flags & 1 else 0
            return count, numbers.pop(0) if flags & 2 else 0
    vbri = window.at(offset + _VBRI_AT, 18)
    if vbri.startswith(b"VBRI") and len(vbri) == 18:
        size, count = struct.unpack(">10xII", vbri)
        return count, size
    return 0, 0


def _after_tag(window: ByteWindow, offset: int) -> int:
    """Behind the tags at ``offset``."""
    while (head := window.at(offset, 32)).startswith(_TAGS):
        if head.startswith(b"ID3") and len(head) >= 10:
            size = 0
            for byte in head[6:10]:
                size = size << 7 | byte & 0x7F
            offset += 10 + size
        elif head.startswith(b"APETAGEX") and len(head) == 32:
            size, is_header = int.from_bytes(head[12:16], "little"), head[23] & 0x20
            offset += 32 + size if is_header else 32
        else:
            offset += 128 if head.startswith(b"TAG") else 4
    return offset


def _to_next_frame(window: ByteWindow, offset: int) -> int:
    """Where two frames follow one another, or a last one is followed by the end."""
    while scanned := window.at(offset, _SCAN):
        at = 0
        while (at := scanned.find(0xFF, at)) >= 0:
            frame = frame_at(window.at(offset + at, 4))
            if frame:
                after = window.at(offset + at + frame.length, 4)
                if len(after) < 4 or after.startswith(_TAGS) or frame_at(after):
                    return offset + at
            at += 1
        offset += len(scanned)
    return offset
