"""Which of many channels is for low frequencies only: lossy encoders drop all the rest of it.

Six microphones have no such channel. Without a word that there is one, none may be taken for it.
"""

from __future__ import annotations

import av

from .access import read_at

__all__ = ["subwoofer_among", "subwoofer_of_ogg"]

_SURROUND = {6, 7, 8}
_OPUS_SURROUND = 1


def subwoofer_among(layout: av.AudioLayout) -> int | None:
    """By FFmpeg's names of the channels."""
    names = [channel.name for channel in layout.channels]
    return names.index("LFE") if "LFE" in names else None


def subwoofer_of_ogg(descriptor: int) -> int | None:
    """Of six to eight channels the last, but for Opus files that say nothing of loudspeakers.

    Sources: Vorbis I specification, section 4.3.9; RFC 7845, section 5.1.1.
    """
    head = read_at(descriptor, 28, 19)  # behind the header of a page with one packet
    if head.startswith(b"OpusHead"):
        channels, family = head[9], head[18]
        return channels - 1 if family == _OPUS_SURROUND and channels in _SURROUND else None
    channels = head[11] if head.startswith(b"\x01vorbis") else 0
    return channels - 1 if channels in _SURROUND else None
