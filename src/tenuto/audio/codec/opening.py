"""Which decoder reads a file."""

from __future__ import annotations

import av
import soundfile

from tenuto.errors import DecodeError

from .access import check_readable, read_at
from .declared import is_rf64, outgrows_its_header
from .libav import LibavReader
from .ogg import walk_through_ogg
from .reader import Reader
from .sndfile import SndfileReader

__all__ = ["open_reader"]

_MISLEADING = 7  # what libsndfile says of a broken MP3: that there is no such file


def open_reader(descriptor: int) -> Reader:
    """libsndfile, or FFmpeg for what it does not know.

    Raises ``DecodeError`` for what neither knows, and ``OSError``.
    """
    if outgrows_its_header(descriptor):
        # libsndfile would go through what is beyond that length eight bytes at a time.
        return _read_by_ffmpeg(descriptor, None, ignore_length=True)
    try:
        reader = SndfileReader(descriptor)
    except soundfile.LibsndfileError as error:
        refusal = error
    else:
        if reader.expected_frames and not reader.stops_early:
            return reader
        return _second_opinion(descriptor, reader)
    return _read_by_ffmpeg(descriptor, refusal)


def _read_by_ffmpeg(
    descriptor: int, refusal: soundfile.LibsndfileError | None, *, ignore_length: bool = False
) -> Reader:
    try:
        return LibavReader(descriptor, ignore_length=ignore_length)
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            check_readable(descriptor)
        raise DecodeError(_why(descriptor, refusal)) from refusal or error


def _second_opinion(descriptor: int, reader: SndfileReader) -> Reader:
    """FFmpeg finds the sound in a recording whose header was never completed, or has no length."""
    try:
        if reader.walked is not None:
            other = LibavReader(descriptor, source=reader.source, flaws=reader.walked.flaws)
        elif reader.source.container == "OGG":  # it ends amid its first page, or its last recording
            other = LibavReader(descriptor, flaws=walk_through_ogg(descriptor).flaws)
        else:
            # Of RF64 alone it takes a length of nothing at its word.
            other = LibavReader(descriptor, ignore_length=is_rf64(descriptor))
    except (av.FFmpegError, DecodeError):
        return reader
    reader.close()
    return other


def _why(descriptor: int, refusal: soundfile.LibsndfileError | None) -> str:
    head = read_at(descriptor, 0, 512)
    if head[4:8] == b"ftyp":
        return "is an MP4 file without a usable index: it was cut off, or never finished"
    if head.isascii() and head.decode().replace("\n", "").replace("\r", "").isprintable():
        return "is text, not sound; name a recording"
    reason = "the beginning is damaged"
    if refusal is not None and refusal.code != _MISLEADING:
        reason = refusal.error_string.strip().rstrip(".")
    return f"holds no sound that can be read ({reason}); check that it is a recording"
