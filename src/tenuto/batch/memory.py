"""How much memory there is, how much a process takes, and what a worker may have of it.

A worker is given a limit on its private memory (``RLIMIT_DATA``), not on its address space: models
and long recordings are files mapped into memory, which the system may take back at any time, and
which cost nothing that could run out. Linux counts so since 4.7; elsewhere there is no limit.
"""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "LEAST",
    "LEAST_LIMIT",
    "Machine",
    "Shares",
    "be_first_to_go",
    "keep_to",
    "resident",
    "share_out",
]

LEAST = 1 << 30
"""Bytes that each worker gets where nobody says otherwise; with all engines and the meter loaded it
takes half of that."""

LEAST_LIMIT = 256_000_000
"""Bytes without which no worker even begins."""

_USABLE = 0.9
"""The share of the free memory that workers may have; the rest is the run's and the system's."""

_EXPENDABLE = 500
"""Of 1,000. What the system adds to its reckoning of whom to kill when memory runs out."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What each of a number of workers may have, in bytes; None: no limit is kept."""

    places: int
    limit: int | None
    most: int | None
    """What one of them may have when the others have to do without."""


def share_out(free: int | None, jobs: int, limit: int | None = None) -> Shares:
    """Share ``free`` bytes among ``jobs`` workers, or among fewer where there is too little.

    With a ``limit`` given, every worker has that, and it is the giver's business whether they are
    too many.
    """
    most = None if free is None else int(free * _USABLE)
    if limit is not None:
        return Shares(jobs, limit, max(limit, most or limit))
    if most is None:
        return Shares(jobs, None, None)
    places = max(1, min(jobs, most // LEAST))
    share = max(LEAST, most // places)
    return Shares(places, share, share * places)


class Machine:
    """What the system tells of its memory. ``root`` is where its files are, for tests."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._kills: Path | None = None

    def free(self) -> int | None:
        """Bytes that could be taken now without anybody having to give up any; None: unknown.

        In a container or a service: of what that is allowed.
        """
        with suppress(OSError):
            found = _number("MemAvailable", (self._root / "proc/meminfo").read_text())
            if found is not None:
                return min([found * 1024, *self._rooms()])
        return None

    def kills(self) -> int:
        """How many processes the system has killed for want of memory, as far as it tells."""
        groups = self._groups() if self._kills is None else ()
        files = [folder / name for folder in groups for name in _COUNTS_OF_KILLS]
        for path in (self._kills, *files, self._root / "proc/vmstat"):
            with suppress(OSError):
                found = None if path is None else _number("oom_kill", path.read_text())
                if found is not None:
                    self._kills = path  # asked again before each recording
                    return found
        return 0

    def _rooms(self) -> Iterator[int]:
        """What control groups leave to this process; cached files do not count as taken."""
        for folder in self._groups():
            for limit, taken, cached in _FILES:
                with suppress(OSError, ValueError):
                    allowed = int((folder / limit).read_text())
                    statistics = (folder / "memory.stat").read_text()
                    used = int((folder / taken).read_text()) - (_number(cached, statistics) or 0)
                    yield max(0, allowed - used)

    def _groups(self) -> Iterator[Path]:
        """The folders of this process's control groups, the nearest first."""
        try:
            lines = (self._root / "proc/self/cgroup").read_text().splitlines()
        except OSError:
            return
        for line in lines:
            _, controllers, place = line.split(":", 2)
            if controllers not in {"", "memory"}:
                continue
            base = self._root / "sys/fs/cgroup" / controllers
            folder = base / place.lstrip("/")
            yield from (each for each in (folder, *folder.parents) if each.is_relative_to(base))


_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Of version 2 and of version 1: what is allowed, what is taken, and the part that is cache."""


_COUNTS_OF_KILLS = ("memory.events", "memory.oom_control")


def resident(pid: int) -> int | None:
    """Bytes of memory that the process ``pid`` alone takes, mapped files aside; None: unknown."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return None
    found = [_number(name, status) for name in ("RssAnon", "RssShmem")]
    return sum(each or 0 for each in found) * 1024


def keep_to(limit: int) -> None:
    """Have allocations fail beyond ``limit`` bytes of private memory of this process."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    with suppress(OSError, ValueError):  # a system without such a limit
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def be_first_to_go() -> None:
    """Where memory runs out all the same: rather this process than the run, or others."""
    path = Path("/proc/self/oom_score_adj")
    with suppress(OSError, ValueError):
        path.write_text(str(max(_EXPENDABLE, int(path.read_text()))))


def _number(name: str, text: str) -> int | None:
    found = re.search(rf"^{name}:?\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else None
