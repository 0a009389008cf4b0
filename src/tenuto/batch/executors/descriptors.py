"""File descriptors: each worker costs the run three, and then it needs some for itself."""

from __future__ import annotations

import os
import resource
from contextlib import suppress

__all__ = ["allow_many", "check_spare"]

_MANY = 1 << 16
"""As many as 20,000 workers take; some programs look at each that there could be."""

_SPARE = 16
"""For the ledger, the journal and a terminal, which open files now and then."""


def allow_many() -> None:
    """Have this process, and those that it starts, open as many files as it may allow itself.

    The usual limit of 1,024 is for programs that call ``select``, and ends at some 335 workers.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MANY if hard == resource.RLIM_INFINITY else min(hard, _MANY)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):  # a system that has less all the same
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def check_spare() -> None:
    """Raise OSError where so few are left that the run itself would be the next to have none."""
    spare: list[int] = []
    try:
        for _ in range(_SPARE):
            spare.append(os.open(os.devnull, os.O_RDONLY))  # noqa: PERF401 - some may fail
    finally:
        for each in spare:
            os.close(each)
