"""What the two decoders have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from tenuto.audio.sound import Samples, SourceFormat

__all__ = ["BLOCK_FRAMES", "Reader"]

BLOCK_FRAMES = 1 << 14


class Reader(Protocol):
    """A file that a decoder has opened. To be closed."""

    source: SourceFormat
    expected_frames: int | None
    """What the decoder expects to give, as far as it can tell before."""
    padding: int
    """Frames by which a whole file may be longer or shorter than it declares."""
    remarks: tuple[str, ...]
    """What is in the file and not read, although nothing is wrong with it."""

    def blocks(self) -> Iterator[Samples]:
        """The sound, in order, as far as it can be decoded."""
        ...

    def flaws(self) -> tuple[str, ...]:
        """What is visibly wrong with the file; complete once all blocks were taken."""
        ...

    def again(self) -> Reader:
        """The same file from its beginning, in the same way, without finding out how once more."""
        ...

    def close(self) -> None:
        """Let go of the decoder's memory; the file descriptor stays open."""
        ...
