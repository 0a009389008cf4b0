"""What the pages of an Ogg file tell: which are damaged, whether it is whole, what is in it.

There may be several recordings, one after another. The Ogg library reads the first of them, drops
a damaged page without a word, and takes any end for the end.
Source: RFC 3533.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from .access import ByteWindow

__all__ = ["Pages", "walk_through_ogg"]

_HEADER = struct.Struct("<4sBBqIIIB")
_FIRST_PAGE, _LAST_PAGE = 0x02, 0x04
_SCAN = 1 << 16


@dataclass(frozen=True, slots=True)
class Pages:
    """What the pages of a file tell."""

    links: tuple[tuple[int, int], ...]
    """Where each recording begins and ends, in bytes: the links of a chain."""
    flaws: tuple[str, ...]


def walk_through_ogg(descriptor: int) -> Pages:
    """Check every page's checksum, and look for the marks on the first and the last ones."""
    window = ByteWindow(descriptor)
    offset = skipped = skipped_inside = 0
    starts: list[int] = []
    ended = in_front = False
    unended = 0
    while head := window.at(offset, _HEADER.size):
        page = _page(window, offset, head)
        if page:
            if page[5] & _FIRST_PAGE and not in_front:  # each stream of a recording begins with one
                unended += bool(starts) and not ended
                starts.append(offset)
            in_front = bool(page[5] & _FIRST_PAGE)
            ended = bool(page[5] & _LAST_PAGE)
            offset += len(page)
            skipped_inside = skipped
        else:
            # What is neither a page nor the beginning of one may have been added by others.
            ended = ended and not head.startswith(b"OggS")
            garbage = _to_next_page(window, offset)
            skipped += garbage
            offset += garbage
    flaws = []
    if skipped_inside:
        flaws.append(
            f"{skipped_inside:,} damaged bytes were skipped, and the sound in them is missing"
        )
    if unended or not ended:
        flaws.append("it breaks off: the mark of its end is missing")
    links = zip(starts, [*starts[1:], offset], strict=True)
    return Pages(tuple(links), tuple(flaws))


def _page(window: ByteWindow, offset: int, head: bytes) -> bytes:
    """The sound page at ``offset``, or nothing."""
    if len(head) < _HEADER.size or not head.startswith(b"OggS"):
        return b""
    *_, checksum, segments = _HEADER.unpack(head)
    lengths = window.at(offset + _HEADER.size, segments)
    length = _HEADER.size + segments + sum(lengths)
    page = window.at(offset, length)
    if len(page) < length:
        return b""
    return page if _checksum(page[:22] + b"\0\0\0\0" + page[26:]) == checksum else b""


def _to_next_page(window: ByteWindow, offset: int) -> int:
    """How many bytes there are from ``offset`` to where the next page may begin."""
    scanned = window.at(offset, _SCAN)
    found = scanned.find(b"OggS", 1)
    if found > 0:
        return found
    # The last three bytes may be the beginning of a mark.
    return len(scanned) if len(scanned) < _SCAN else _SCAN - 3


_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _checksum(page: bytes) -> int:
    """Ogg's CRC-32: the polynomial of zlib's, but most significant bit first, and not inverted.

    Mirroring the bits of what goes in and of what comes out turns one into the other, and lets
    zlib do the work.
    """
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
