"""What no recording is: the bounds that keep an absurd header from doing harm."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_LIMITS", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Beyond these a file is refused as ``DecodeError``, before its samples take any room.

    ``channel_hours`` bounds the decoded length times the number of channels; a few kilobytes of
    compressed silence can otherwise fill a disk. The defaults let two days of stereo through.
    """

    channel_hours: float = 96.0
    max_channels: int = 256
    max_rate: int = 1_536_000
    """In Hz; twice the fastest converter that is sold for sound."""

    def max_frames(self, rate: int, channels: int) -> int:
        """The greatest length, in frames, of a sound of ``rate`` Hz and ``channels`` channels."""
        return int(self.channel_hours * 3600 * rate / channels)


DEFAULT_LIMITS = Limits()
