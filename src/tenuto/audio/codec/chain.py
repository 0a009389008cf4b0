"""Reading an Ogg file that holds several recordings, one after another (RFC 3533, section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

from tenuto.audio.sound import Samples
from tenuto.errors import DecodeError

from .ogg import Pages
from .part import Part
from .reader import Reader
from .sndfile import SndfileReader

__all__ = ["ChainReader"]


class ChainReader:
    """All of them as one. Raises ``DecodeError`` where their rates or channels differ.

    libsndfile alone takes the end of the first for the end of the file.
    """

    padding = 0
    remarks: tuple[str, ...] = ()

    def __init__(self, descriptor: int, pages: Pages) -> None:
        self._descriptor = descriptor
        self._pages = pages
        sources = []
        for number in range(len(pages.links)):
            with closing(self._link(number)) as link:
                sources.append(link.source)
        first = sources[0]
        if any((each.rate, each.channels) != (first.rate, first.channels) for each in sources):
            raise DecodeError("holds recordings of different rates or numbers of channels")
        lengths = [each.declared_frames for each in sources]
        frames = None if None in lengths else sum(filter(None, lengths))
        size = sum(end - start for start, end in pages.links)
        bit_rate = size * 8 * first.rate // frames if frames else None
        self.source = replace(first, declared_frames=frames, bit_rate=bit_rate)
        self.expected_frames = frames

    def _link(self, number: int) -> SndfileReader:
        part = Part(self._descriptor, *self._pages.links[number])
        return SndfileReader(self._descriptor, part=part)

    def blocks(self) -> Iterator[Samples]:
        """Raises as ``SndfileReader`` does."""
        for number in range(len(self._pages.links)):
            with closing(self._link(number)) as link:
                yield from link.blocks()

    def flaws(self) -> tuple[str, ...]:
        """As of any Ogg file."""
        return self._pages.flaws

    def again(self) -> Reader:
        """The same."""
        return ChainReader(self._descriptor, self._pages)

    def close(self) -> None:
        """Nothing is open between two links."""
