"""Whether there is room for more results, so that the disk never gets full.

A disk that is full fails everybody who writes to it, in the middle of what they write. So work is
only begun while a reserve is free; there must be somewhat more before it goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable

__all__ = ["RESERVE", "Room"]

RESERVE = 1_000_000_000
"""Bytes that stay free; on a small disk, at most a twentieth of it."""

_SHARE = 20
_FILES = 100
_AGAIN = 1.25  # times the reserve


class Room:
    """The free room in ``folder``. ``look`` gives what ``os.statvfs`` does.

    ``reserve`` is in bytes; by default ``RESERVE``.
    """

    def __init__(
        self,
        folder: str,
        reserve: int | None = None,
        look: Callable[[str], os.statvfs_result] = os.statvfs,
    ) -> None:
        self._folder = folder
        self._reserve = reserve
        self._look = look
        self._short = False

    def shortage(self) -> str | None:
        """What there is too little of, for people; None while there is enough."""
        try:
            found = self._look(self._folder)
        except OSError:  # some network file systems do not tell
            return None
        size, free = found.f_frsize * found.f_blocks, found.f_frsize * found.f_bavail
        reserve = self._reserve if self._reserve is not None else min(RESERVE, size // _SHARE)
        wanted = reserve * (_AGAIN if self._short else 1)
        # Some file systems have no fixed number of files, and say 0 of 0.
        no_files = found.f_files > 0 and found.f_favail < _FILES
        self._short = (size > 0 and free < wanted) or no_files
        if not self._short:
            return None
        if no_files:
            return "the disk of the output folder can hold no more files"
        return (
            f"only {free / 1e6:,.0f} MB are free on the disk of the output folder, "
            f"and {reserve / 1e6:,.0f} MB are to stay free"
        )
