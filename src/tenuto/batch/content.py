"""Which bytes a recording is, whatever it is called."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from tenuto.errors import DecodeError

__all__ = ["content_of"]

_DIGEST = 16  # bytes: among ten million recordings, two alike by chance are out of the question
_BLOCK = 1 << 20


def content_of(path: str | os.PathLike[str], on_block: Callable[[], None] = lambda: None) -> str:
    """The BLAKE2b hash of the bytes in the file at ``path``; empty where they cannot be read.

    Why they cannot is for the decoder to find out and to tell. Never waits for a pipe.
    ``on_block`` is called after each MiB.
    """
    from tenuto.audio.codec.access import opened, read_at

    digest = hashlib.blake2b(digest_size=_DIGEST)
    offset = 0
    try:
        with opened(path) as descriptor:
            while block := read_at(descriptor, offset, _BLOCK):
                digest.update(block)
                offset += len(block)
                on_block()
    except (DecodeError, OSError):
        return ""
    return digest.hexdigest()
