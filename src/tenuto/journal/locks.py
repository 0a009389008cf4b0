"""Locks between processes, which the kernel opens when their holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

__all__ = ["FileLock"]


class FileLock:
    """An exclusive lock on a file, held from ``acquire`` to ``release`` or the process's death."""

    __slots__ = ("_descriptor", "path")

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, path: Path) -> Self | None:
        """The lock, or None while somebody else has it. Raises ``OSError`` if there can be none."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        if os.fstat(descriptor).st_nlink == 0:  # its last holder removed it before letting go
            os.close(descriptor)
            return None
        return cls(path, descriptor)

    def release(self) -> None:
        os.close(self._descriptor)

    def remove(self) -> None:
        """Release the lock for good: the file goes too."""
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def forget(self) -> None:
        """Let go in a forked child: the parent, who shares it, goes on holding the lock."""
        os.close(self._descriptor)
