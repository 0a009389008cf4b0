"""Which errors end a run, and how the others are put to people."""

from __future__ import annotations

import errno
import re
import tempfile
from pathlib import Path

from tenuto.capture import message_of
from tenuto.errors import (
    ConfigurationError,
    FaultClass,
    ResourceLimitError,
    TenutoError,
    classify,
)

from .names import path_text

__all__ = ["DiskFullError", "ShortageError", "in_words", "is_shortage", "stop_if_fatal"]

_FULL = {errno.ENOSPC, errno.EDQUOT}
_OF_MEMORY = re.compile("memory|alloc", re.IGNORECASE)
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


class DiskFullError(ResourceLimitError):
    """There is no room to work in, or to write to."""


class ShortageError(ResourceLimitError):
    """There was too little memory for a recording, and it was asked not to make do with less.

    ``details["errors"]`` are the ids of what went wrong with it so far.
    """


def is_shortage(error: BaseException) -> bool:
    """Whether there was too little of something, most likely of memory, that others take too."""
    return classify(error) is FaultClass.RESOURCE


def stop_if_fatal(error: BaseException, output: Path | None = None) -> None:
    """Raise what ends the run, if ``error`` is such that no other recording would fare better.

    ``output`` is the folder that was being written to; without it, only temporary files were.
    That a place may not be written to is a matter of the set-up, but to read a recording may be
    forbidden for that one alone. Raises DiskFullError or ConfigurationError.
    """
    if isinstance(error, (ConfigurationError, DiskFullError)):
        raise error
    code = error.errno if isinstance(error, OSError) else None
    if code in _FULL:
        place = output or Path(tempfile.gettempdir())
        raise DiskFullError(
            f"no room in {path_text(place)}; make some, then run it again"
        ) from error
    if output and code in _FORBIDDEN:
        raise ConfigurationError(path_text(output), f"make it writable ({error})") from error
    if code is None and classify(error) is FaultClass.CONFIGURATION:
        raise ConfigurationError("the installation", message_of(error)) from error


def in_words(error: BaseException) -> str:
    """What went wrong, in one sentence; without the recording's name where that can be told."""
    reason = getattr(error, "reason", None)
    text = reason if isinstance(reason, str) else message_of(error)
    foreign = not isinstance(error, (OSError, TenutoError))
    if isinstance(error, MemoryError) or (
        foreign and is_shortage(error) and _OF_MEMORY.search(text)
    ):
        return "there was not enough memory"  # whoever says so uses a page for it, or no word
    return text or type(error).__name__
