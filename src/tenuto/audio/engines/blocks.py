"""One channel on its way through a chain of stages, a block at a time.

Every stage is a generator from blocks to blocks, so that a recording of any length needs the
memory of a second or two of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from tenuto.audio.resample import Mono

__all__ = ["Line", "framed", "silence", "skipped", "split"]


def silence(frames: int) -> Mono:
    """So many zeros."""
    return np.zeros(frames, np.float32)


def framed(blocks: Iterable[Mono], frame: int) -> Iterator[Mono]:
    """Contiguous blocks of whole frames, as many as there are, the last filled with zeros."""
    rest = silence(0)
    for block in blocks:
        ready = np.concatenate((rest, block))
        whole = len(ready) // frame * frame
        rest = ready[whole:]
        if whole:
            yield ready[:whole]
    if len(rest):
        yield np.concatenate((rest, silence(frame - len(rest))))


def skipped(blocks: Iterable[Mono], frames: int) -> Iterator[Mono]:
    """All but the first ``frames`` frames."""
    for block in blocks:
        yield block[frames:]
        frames = max(0, frames - len(block))


def split(blocks: Iterable[Mono], frames: int) -> tuple[Mono, Iterator[Mono]]:
    """The first ``frames`` frames (fewer, where there are no more), and the rest."""
    rest = iter(blocks)
    head = silence(0)
    for block in rest:
        head = np.concatenate((head, block))
        if len(head) >= frames:
            break
    return head[:frames], chain((head[frames:],), rest)


class Line:
    """Blocks of one channel, to be taken in whatever lengths are wanted."""

    def __init__(self, blocks: Iterable[Mono]) -> None:
        self._blocks = iter(blocks)
        self._rest = silence(0)

    def take(self, frames: int) -> Mono:
        """The next ``frames`` frames; fewer, where there are no more."""
        parts, missing = [self._rest], frames - len(self._rest)
        while missing > 0 and (block := next(self._blocks, None)) is not None:
            parts.append(block)
            missing -= len(block)
        ready = np.concatenate(parts)
        self._rest = ready[frames:]
        return ready[:frames]
