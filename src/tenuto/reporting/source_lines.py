"""Lines of source code around a frame, read when somebody looks, and never where errors happen.

Only if they are still those that ran: a file that was changed since, or that is another machine's,
would show lines that have nothing to do with the error.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from socket import gethostname
from stat import S_ISREG
from typing import NamedTuple

from tenuto.capture import REDACTED, scrub

__all__ = ["SourceLines", "source_lines"]

_LARGEST = 1 << 20  # bytes
_LONGEST = 200  # characters
_LITERAL = re.compile(r"""(["'])(?:(?!\1).)+(?:\1|$)""")
_SECRET = re.compile(r"(?i)passw|secret|token|api_?key|credential")


class SourceLines(NamedTuple):
    """The ``line`` that ran, those before it and those after it; without what looks secret."""

    before: tuple[str, ...]
    line: str
    after: tuple[str, ...]


def source_lines(
    file: str, line: int, *, host: str, since: float, around: int = 0
) -> SourceLines | None:
    """Line number ``line`` of ``file`` on ``host``, with ``around`` lines on both sides.

    None where that is another machine, or where the file is no Python source, cannot be read, or
    was changed after ``since``, in seconds since 1970 UTC. ``file`` may begin with ``~``.
    """
    if host != gethostname() or not file.endswith(".py"):
        return None
    try:
        path = Path(file).expanduser()
        state = path.stat()
    except (OSError, RuntimeError, ValueError):  # no such file, no home, a NUL in the name
        return None
    if not S_ISREG(state.st_mode) or state.st_mtime > since or state.st_size > _LARGEST:
        return None
    return _read(path, state.st_mtime_ns, line, around)


@lru_cache(maxsize=1024)
def _read(path: Path, _mtime: int, line: int, around: int) -> SourceLines | None:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    if not 0 < line <= len(lines):
        return None
    first = max(0, line - 1 - around)
    shown = [_without_secrets(each) for each in lines[first : line + around]]
    place = line - 1 - first
    return SourceLines(tuple(shown[:place]), shown[place], tuple(shown[place + 1 :]))


def _without_secrets(text: str) -> str:
    text = text[:_LONGEST]
    if _SECRET.search(text):  # whatever is written out beside such a name
        text = _LITERAL.sub(REDACTED, text)
    return scrub(text)
