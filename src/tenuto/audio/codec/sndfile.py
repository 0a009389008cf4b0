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
from .mpeg import flaws_of_mpeg
from .ogg import flaws_of_ogg
from .reader import BLOCK_FRAMES
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

_DESCRIBED = {"OGG", "FLAC"}  # where what FFmpeg calls a comment is a DESCRIPTION
_FLAWS = {"OGG": flaws_of_ogg, "MP3": flaws_of_mpeg}


class CorruptFrameError(Exception):
    """libsndfile refuses to go on."""


class SndfileReader:
    """A file that libsndfile knows. Raises ``soundfile.LibsndfileError`` for one it does not."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # libsndfile takes the sound to begin where the descriptor stands.
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            self._file = soundfile.SoundFile(descriptor, closefd=False)
        except soundfile.LibsndfileError as error:
            if error.code == SYSTEM_ERROR:
                raise_io_error(descriptor, error)
            raise
        frames = self._file.frames
        self.expected_frames = frames if 0 <= frames < _UNKNOWN_FRAMES else None
        self.source = self._describe()
        self.padding = _LARGEST_BLOCK if self.source.subtype in _BLOCKWISE else 0

    def _describe(self) -> SourceFormat:
        file = self._file
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
        return filled, None

    def flaws(self) -> tuple[str, ...]:
        look = _FLAWS.get(self.source.container)
        return look(self._descriptor) if look else ()

    def close(self) -> None:
        self._file.close()
