"""Room for a whole sound."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterable

import numpy as np

from .sound import Samples

__all__ = ["SPILL_BYTES", "allocate", "gathered"]

SPILL_BYTES = 256 * 2**20
"""Longer samples are kept in a temporary file without a name (in ``TMPDIR``), mapped into memory,
so that the system may move them out of it."""

_ZEROS = bytes(2**20)


def allocate(frames: int, channels: int) -> Samples:
    """An array of that shape; a large one lives in a nameless file that vanishes with it.

    Raises ``OSError`` (``ENOSPC``) where the file does not fit on its disk: it is filled before it
    is mapped, because a disk that fills up under a mapping kills the process.
    """
    size = 4 * frames * channels
    if size <= SPILL_BYTES:
        return np.empty((frames, channels), np.float32)
    with tempfile.TemporaryFile(prefix="tenuto-") as file:
        for start in range(0, size, len(_ZEROS)):
            file.write(_ZEROS[: size - start])
        file.flush()
        mapped = mmap.mmap(file.fileno(), size)
    return np.frombuffer(mapped, np.float32).reshape(frames, channels)


def gathered(blocks: Iterable[Samples], room: Samples) -> Samples:
    """``room``, filled with the blocks; together they are as long as it is."""
    position = 0
    for block in blocks:
        room[position : position + len(block)] = block
        position += len(block)
    assert position == len(room), "there are fewer frames than were promised"
    return room
