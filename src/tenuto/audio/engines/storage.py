"""Room for a result."""

from __future__ import annotations

import mmap
import tempfile

import numpy as np

from tenuto.audio.sound import SPILL_BYTES, Samples

__all__ = ["allocate"]

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
