"""Change the sampling rate of a sound that comes in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np
import soxr
from numpy.typing import NDArray

__all__ = ["Mono", "resampled"]

Mono: TypeAlias = NDArray[np.float32]
"""One channel, or a stretch of it: shape (frames,)."""


def resampled(blocks: Iterable[Mono], rate: int, to: int) -> Iterator[Mono]:
    """The blocks at ``to`` Hz instead of ``rate`` Hz; together ``round(frames * to / rate)`` long.

    What comes out is aligned with what goes in, and the same however the sound is cut into
    blocks. The filter is soxr's "HQ": linear in phase, flat to 0.91 of the lower Nyquist frequency.
    """
    if rate == to:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate, to, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
