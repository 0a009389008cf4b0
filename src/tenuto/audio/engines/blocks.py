"""One channel on its way through a chain of stages, a block at a time.

Every stage is a generator from blocks to blocks, so that a recording of any length needs the
memory of a second or two of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from tenuto.audio.resample import Mono

__all__ = ["framed", "read", "silence", "skipped", "split"]


def silence(frames: int) -> Mono:
    """So many zeros."""
    return np.zeros(frames, np.float32)


def read(channel: Mono, size: int, scale: float) -> Iterator[Mono]:
    """A channel in contiguous blocks of ``size`` frames, each sample times ``scale``."""
    for start in range(0, len(channel), size):
        yield np.multiply(channel[start : start + size], np.float32(scale))


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
