"""Opening a file that may be anything: a pipe, a folder, a link to nowhere, on a dying disk.

What is wrong with the file itself is a ``DecodeError``. What is wrong with the machine under it
(``EIO``, ``ESTALE``, too many open files) stays an ``OSError``, so that it may be tried again.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn, TypeAlias

from tenuto.errors import DecodeError

__all__ = [
    "ByteWindow",
    "StrOrBytesPath",
    "check_readable",
    "check_same",
    "display",
    "opened",
    "raise_io_error",
    "read_at",
]

StrOrBytesPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]

_WINDOW = 1 << 20

_FAULTS_OF_THE_FILE = {
    errno.ENOENT: "does not exist; check the name",
    errno.ENOTDIR: "does not exist: part of its path is not a folder; check the name",
    errno.ENAMETOOLONG: "has a name that is too long for this file system; shorten it",
    errno.ELOOP: "is a link that leads back to itself; name the recording itself",
    errno.EACCES: "may not be read by this user; give it read permission",
    errno.EPERM: "may not be read by this user; give it read permission",
    errno.ENXIO: "is a device or a socket, not a file; name a recording",
}

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def display(path: StrOrBytesPath) -> str:
    """``path`` for people and for logs: bytes that are not UTF-8 are shown as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@contextmanager
def opened(path: StrOrBytesPath) -> Generator[int, None, None]:
    """A file descriptor of the regular, non-empty file at ``path``. Never blocks on a pipe.

    Native decoders get the descriptor, not the name: it works for names in any encoding, and the
    file stays the same one throughout. Raises ``DecodeError`` for what is no such file, and
    ``OSError`` (``EBUSY``) at the end if the file was changed while it was open; any
    ``DecodeError`` from inside the block is raised again with the name of the file in front.
    """
    try:
        descriptor = _open(path)
        try:
            before = os.fstat(descriptor)
            _check(before)
            yield descriptor
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except DecodeError as error:
        name, reason = display(path), str(error)
        raise DecodeError(f"{name} {reason}", path=name, reason=reason) from error.__cause__
    _check_equal(before, after, path)


def check_same(path: StrOrBytesPath, before: os.stat_result) -> None:
    """Raise ``OSError`` (``EBUSY``) where there is another file than was open ``before``."""
    after = os.stat(path)  # noqa: PTH116 - a path may be bytes
    if not os.path.samestat(before, after):
        raise _changed(path)
    _check_equal(before, after, path)


def _check_equal(before: os.stat_result, after: os.stat_result, path: StrOrBytesPath) -> None:
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise _changed(path)


def _changed(path: StrOrBytesPath) -> OSError:
    return OSError(errno.EBUSY, "changed while it was read", display(path))


def read_at(descriptor: int, offset: int, size: int) -> bytes:
    """Up to ``size`` bytes from ``offset``; fewer only at the end of the file."""
    parts = []
    while size > 0 and (part := os.pread(descriptor, size, offset)):
        parts.append(part)
        offset += len(part)
        size -= len(part)
    return b"".join(parts)


class ByteWindow:
    """Many small looks at a file, forward, for few reads."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._start = 0
        self._data = b""

    def at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer only at the end of the file."""
        start = offset - self._start
        if start < 0 or start + size > len(self._data):
            self._data = read_at(self._descriptor, offset, max(size, _WINDOW))
            self._start, start = offset, 0
        return self._data[start : start + size]


def raise_io_error(descriptor: int, error: Exception) -> NoReturn:
    """Raise the ``OSError`` that a decoder met, which says only that there was one."""
    check_readable(descriptor)
    raise OSError(errno.EIO, "could not be read, for a moment") from error


def check_readable(descriptor: int) -> None:
    """Read the whole file. Raises ``OSError`` where it cannot be."""
    offset = 0
    while part := read_at(descriptor, offset, _WINDOW):
        offset += len(part)


def _open(path: StrOrBytesPath) -> int:
    try:
        # A device may act on being opened, so it is not opened to find out that it is one.
        status = os.stat(path)  # noqa: PTH116 - a path may be bytes
        if stat.S_ISDIR(status.st_mode) and not os.access(path, os.R_OK | os.X_OK):
            raise DecodeError("is a folder that may not be read by this user; permit it")
        _check(status)
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError:
        raise DecodeError("has a name with a NUL in it; check the name") from None
    except OSError as error:
        reason = _FAULTS_OF_THE_FILE.get(error.errno or 0)
        if reason is None:
            raise
        if error.errno == errno.ENOENT and (target := _link_target(path)):
            reason = (
                f"is a link to {target!r}, which does not exist; restore that, or remove the link"
            )
        raise DecodeError(reason) from error


def _link_target(path: StrOrBytesPath) -> str:
    try:
        return display(os.readlink(os.fsencode(path)))  # noqa: PTH115 - a path may be bytes
    except OSError:
        return ""


def _check(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "not a file")
        raise DecodeError(f"is {kind}; name a recording")
    if status.st_size == 0:
        raise DecodeError("is empty: 0 bytes; record or copy it again")
