"""Where decoded samples go: memory, or for long sounds a temporary file without a name."""

from __future__ import annotations

import mmap
import tempfile
from typing import IO

import numpy as np

from tenuto.audio.sound import SPILL_BYTES, Samples

__all__ = ["SampleStore"]

_FIRST_FRAMES = 1 << 16


class SampleStore:
    """Takes blocks of samples, gives one array.

    ``expected`` is a length in frames to make room for; it may be wrong. Raises ``OSError``
    (``ENOSPC``) if the temporary file does not fit on its disk: every byte is written before any
    is mapped, because a full disk under a mapping would kill the process.
    """

    def __init__(self, channels: int, expected: int, *, spill_bytes: int = SPILL_BYTES) -> None:
        self._frame_bytes = 4 * channels
        self._spill_bytes = spill_bytes
        self._spill: IO[bytes] | None = None
        self.frames = 0
        fits = expected * self._frame_bytes <= spill_bytes
        self._array = self._room(max(expected, 1) if fits else _FIRST_FRAMES, channels)

    def append(self, block: Samples) -> None:
        """Add ``block`` at the end."""
        end = self.frames + len(block)
        if self._spill is None and end * self._frame_bytes > self._spill_bytes:
            # The mapping keeps the file alive, and the file object lives no longer than this.
            self._spill = tempfile.TemporaryFile(prefix="tenuto-", buffering=0)  # noqa: SIM115
            self._write(self._array[: self.frames])
            self._array = self._array[:0].copy()
        if self._spill is not None:
            self._write(block)
        else:
            if end > len(self._array):
                grown = self._room(max(end, 2 * len(self._array)), self._array.shape[1])
                grown[: self.frames] = self._array[: self.frames]
                self._array = grown
            self._array[self.frames : end] = block
        self.frames = end

    def finish(self, frames: int) -> Samples:
        """The first ``frames`` frames of all that was appended. The store is used up."""
        channels = self._array.shape[1]
        if self._spill is None:
            return self._array[:frames]
        with self._spill as file:
            mapped = mmap.mmap(file.fileno(), frames * self._frame_bytes)
        return np.frombuffer(mapped, np.float32).reshape(frames, channels)

    def close(self) -> None:
        """Give up what was stored."""
        if self._spill is not None:
            self._spill.close()

    def _write(self, block: Samples) -> None:
        assert self._spill is not None
        rest = memoryview(np.ascontiguousarray(block).data).cast("B")
        while rest:
            rest = rest[self._spill.write(rest) :]

    @staticmethod
    def _room(frames: int, channels: int) -> Samples:
        return np.empty((frames, channels), np.float32)
