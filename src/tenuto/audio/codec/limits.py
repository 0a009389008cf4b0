"""What no recording is: the bounds that keep an absurd header from doing harm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tenuto.audio.sound import Samples, SourceFormat
from tenuto.errors import DecodeError

from .reader import Reader

__all__ = ["DEFAULT_LIMITS", "Limits", "check_plausible", "within"]


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


def check_plausible(reader: Reader, limits: Limits) -> None:
    """Raise ``DecodeError`` for a header that no recording has."""
    source = reader.source
    for what, value, most in (
        ("a sample rate in Hz", source.rate, limits.max_rate),
        ("a number of channels", source.channels, limits.max_channels),
    ):
        if not 1 <= value <= most:
            raise DecodeError(
                f"declares {what} of {value:,}, and 1 to {most:,} can be; its header is damaged"
            )
    most = limits.max_frames(source.rate, source.channels)
    if reader.expected_frames is not None and reader.expected_frames > most:
        raise _too_long(source, reader.expected_frames, limits)


def _too_long(source: SourceFormat, frames: int, limits: Limits) -> DecodeError:
    hours = frames * source.channels / source.rate / 3600
    return DecodeError(
        f"holds {hours:,.1f} hours of sound, counting each channel, and at most "
        f"{limits.channel_hours:g} are decoded; raise Limits.channel_hours if it is a recording"
    )


def within(reader: Reader, limits: Limits) -> Iterator[Samples]:
    """The blocks of a decoder. Raises ``DecodeError`` once there are more of them than can be."""
    most = limits.max_frames(reader.source.rate, reader.source.channels)
    frames = 0
    for block in reader.blocks():
        frames += len(block)
        if frames > most:
            raise _too_long(reader.source, frames, limits)
        yield block
