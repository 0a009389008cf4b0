"""Reading an Ogg file that holds several recordings, one after another (RFC 3533, section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import soundfile

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
        sources, self._links = [], []
        for part in pages.links:
            try:
                with closing(self._link(part)) as link:
                    sources.append(link.source)
                    self._links.append(part)
            except soundfile.LibsndfileError:  # its beginning is damaged
                continue
        first = sources[0]
        if any((each.rate, each.channels) != (first.rate, first.channels) for each in sources):
            raise DecodeError("holds recordings of different rates or numbers of channels")
        lengths = [each.declared_frames for each in sources]
        frames = None if None in lengths else sum(filter(None, lengths))
        size = sum(end - start for start, end in self._links)
        bit_rate = size * 8 * first.rate // frames if frames else None
        self.source = replace(first, declared_frames=frames, bit_rate=bit_rate)
        self.expected_frames = frames

    def _link(self, part: tuple[int, int]) -> SndfileReader:
        return SndfileReader(self._descriptor, part=Part(self._descriptor, *part))

    def blocks(self) -> Iterator[Samples]:
        """Raises as ``SndfileReader`` does."""
        for part in self._links:
            with closing(self._link(part)) as link:
                yield from link.blocks()

    def flaws(self) -> tuple[str, ...]:
        """As of any Ogg file; and what of it is no recording."""
        whole, read = len(self._pages.links), len(self._links)
        if read == whole:
            return self._pages.flaws
        return (f"{whole - read:,} of its {whole:,} recordings cannot be read", *self._pages.flaws)

    def again(self) -> Reader:
        """The same."""
        return ChainReader(self._descriptor, self._pages)

    def close(self) -> None:
        """Nothing is open between two links."""
