"""Reading with libsndfile: everything but AAC, WebM and their like."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import soundfile

from tenuto.audio.sound import Samples, SourceFormat

from .access import raise_io_error
from .declared import declared_frames
from .libav import read_tags
from .mpeg import Extent, declared_in_mpeg, walk_through_mpeg
from .ogg import Pages, walk_through_ogg
from .part import Part
from .reader import BLOCK_FRAMES, Reader
from .riff import kept_chunks, subwoofer, texts
from .speakers import subwoofer_of_ogg

__all__ = ["LOSSY_SUBTYPES", "SYSTEM_ERROR", "CorruptFrameError", "SndfileReader"]

LOSSY_SUBTYPES = frozenset({"VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III"})
SYSTEM_ERROR = 2  # libsndfile's code for an error of the operating system

_UNKNOWN_FRAMES = 2**63 - 1
_MAX_TAG = 4096
# Formats made of blocks of samples, which fill their last block up.
_BLOCKWISE = {"IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32", "G723_24", "G723_40", "NMS_ADPCM_32"}
_LARGEST_BLOCK = 1 << 14
_MOST_FILLING = 1 << 14
"""Frames that an MP3 encoder adds at the two ends, at most."""

_DESCRIBED = {"OGG", "FLAC"}  # where what FFmpeg calls a comment is a DESCRIPTION


class CorruptFrameError(Exception):
    """libsndfile refuses to go on."""


class SndfileReader:
    """A file that libsndfile knows, or the ``part`` of one that is a file of its own.

    ``source`` is what is known of it already.
    Raises ``soundfile.LibsndfileError`` for one that it does not know.
    """

    remarks: tuple[str, ...] = ()

    def __init__(
        self, descriptor: int, *, part: Part | None = None, source: SourceFormat | None = None
    ) -> None:
        self._descriptor = descriptor
        self._part = part
        # libsndfile takes the sound to begin where the descriptor stands.
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            self._file = soundfile.SoundFile(part or descriptor, closefd=False)
        except soundfile.LibsndfileError as error:
            if error.code == SYSTEM_ERROR:
                raise_io_error(descriptor, error)
            raise
        frames = self._file.frames
        self.expected_frames = frames if 0 <= frames < _UNKNOWN_FRAMES else None
        self.walked: Extent | None = None
        """The frames of an MP3 file that does not tell its length, so that libsndfile guesses."""
        self.stops_early = False
        """Whether its guess, where it would stop, is too low."""
        self.pages: Pages | None = None
        """Those of an Ogg file, once its flaws were asked for."""
        self.source = source or self._describe()
        self.padding = _LARGEST_BLOCK if self.source.subtype in _BLOCKWISE else 0
        if self.walked is not None:
            # Part of what the encoder filled up is cut off, where it says how much.
            self.padding = 4 * (1152 if self.source.rate >= 32_000 else 576)

    def _describe(self) -> SourceFormat:
        file = self._file
        if file.format == "MP3":
            frames, bit_rate = self._extent_of_mpeg()
        else:
            frames = declared_frames(file.format, self._descriptor, self.expected_frames)
            bit_rate = None
            if file.subtype in LOSSY_SUBTYPES and frames:
                bit_rate = os.fstat(self._descriptor).st_size * 8 * file.samplerate // frames
        chunks = kept_chunks(self._descriptor)
        in_ogg = file.format == "OGG"
        return SourceFormat(
            container=file.format,
            subtype=file.subtype,
            rate=file.samplerate,
            channels=file.channels,
            endian=file.endian,
            tags={**self._tags(), **texts(chunks)},
            declared_frames=frames,
            bit_rate=bit_rate,
            subwoofer=subwoofer_of_ogg(self._descriptor) if in_ogg else subwoofer(chunks),
            chunks=chunks,
        )

    def _extent_of_mpeg(self) -> tuple[int | None, int | None]:
        """How many frames there are as far as the file tells, and the bit rate."""
        rate, stated = self._file.samplerate, declared_in_mpeg(self._descriptor)
        frames = self.expected_frames or 0
        if stated is not None and 0 <= stated.samples - frames <= _MOST_FILLING:
            return frames, stated.bit_rate(rate)
        walked = walk_through_mpeg(self._descriptor)
        if not walked.samples:
            return None, None
        self.walked, self.stops_early = walked, frames < walked.samples
        self.expected_frames = walked.samples
        return walked.samples, walked.bit_rate(rate)

    def _tags(self) -> dict[str, str]:
        if self._file.format == "MP3":
            return read_tags(self._descriptor)
        found = self._file.copy_metadata()
        if "comment" not in found and self._file.format in _DESCRIBED:
            position = os.lseek(self._descriptor, 0, os.SEEK_CUR)
            found = {**read_tags(self._descriptor), **found}
            os.lseek(self._descriptor, position, os.SEEK_SET)  # libsndfile reads on from there
        return {name: text[:_MAX_TAG] for name, text in found.items() if text}

    def blocks(self) -> Iterator[Samples]:
        """Raises ``CorruptFrameError`` after the last good block, and ``OSError``."""
        while True:
            block = np.empty((BLOCK_FRAMES, self.source.channels), np.float32)
            read, failure = self._read(block)
            if read:
                yield block[:read]
            if failure is not None:
                raise CorruptFrameError(failure.error_string) from failure
            if read < len(block):
                return

    def _read(self, block: Samples) -> tuple[int, soundfile.LibsndfileError | None]:
        """How many frames were read until the block was full, and what came in between.

        Of an MP3 file a frame of 576 is all that is read at a time.
        """
        filled = 0
        try:
            while filled < len(block) and (read := len(self._file.read(out=block[filled:]))):
                filled += read
        except soundfile.LibsndfileError as error:
            if error.code == SYSTEM_ERROR:
                raise_io_error(self._descriptor, error)
            return filled, error
        if self._part is not None:
            self._part.check()
        return filled, None

    def flaws(self) -> tuple[str, ...]:
        if self.source.container == "MP3":
            return (self.walked or walk_through_mpeg(self._descriptor)).flaws
        if self.source.container != "OGG":
            return ()
        self.pages = walk_through_ogg(self._descriptor)
        if (links := len(self.pages.links)) < 2:
            return self.pages.flaws
        chained = f"it holds {links:,} recordings one after another, and only the first was read"
        return (chained, *self.pages.flaws)

    def again(self) -> Reader:
        return SndfileReader(self._descriptor, part=self._part, source=self.source)

    def close(self) -> None:
        self._file.close()
