"""A part of a file, as a file of its own."""

from __future__ import annotations

import io
import os

__all__ = ["Part"]


class Part(io.RawIOBase):
    """The bytes of an open file from ``start`` to ``end``."""

    def __init__(self, descriptor: int, start: int, end: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._start, self._size = start, end - start
        self._position = 0
        self._error: OSError | None = None

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Nothing where the disk cannot be read: of that ``check`` tells, as C code cannot."""
        size = max(min(len(buffer), self._size - self._position), 0)
        try:
            data = os.pread(self._descriptor, size, self._start + self._position)
        except OSError as error:
            self._error = error
            return 0
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """As any file does."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def tell(self) -> int:
        """As any file does."""
        return self._position

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def check(self) -> None:
        """Raises the ``OSError`` that was met while it was read."""
        if self._error is not None:
            raise self._error
