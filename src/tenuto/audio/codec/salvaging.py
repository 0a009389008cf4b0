"""Which decoder may give more of a file than the first one did."""

from __future__ import annotations

from collections.abc import Callable

from .chain import ChainReader
from .libav import LibavReader
from .reader import Reader
from .sndfile import SndfileReader

__all__ = ["second_reader"]

# Formats of which libsndfile stops at damage that FFmpeg reads past.
_SALVAGEABLE = {"FLAC", "MP3"}


def second_reader(descriptor: int, first: Reader, *, short: bool) -> Callable[[], Reader] | None:
    """How to open the file anew, once ``first`` has given all it had, and whether that was short.

    What it gives raises ``av.FFmpegError``, ``soundfile.LibsndfileError`` or ``DecodeError``.
    """
    if not isinstance(first, SndfileReader):
        return None
    pages = first.pages
    if pages is not None and len(pages.links) > 1:
        return lambda: ChainReader(descriptor, pages)
    if short and first.source.container in _SALVAGEABLE:
        flaws = first.walked.flaws if first.walked else None
        return lambda: LibavReader(descriptor, source=first.source, flaws=flaws)
    return None
