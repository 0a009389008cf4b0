"""Where a journal is, if nobody says."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["journal_folder"]


def journal_folder(path: str | os.PathLike[str] | None) -> Path:
    """``path``, else ``TENUTO_JOURNAL``, else the place for state of this user's programs."""
    chosen = path or os.environ.get("TENUTO_JOURNAL")
    if chosen:
        return Path(os.path.abspath(chosen))  # noqa: PTH100 - the name is kept, links and all
    state = os.environ.get("XDG_STATE_HOME")
    if state and os.path.isabs(state):  # noqa: PTH117 - the XDG rule: a relative one is ignored
        return Path(state, "tenuto")
    return Path(os.path.expanduser("~"), ".local", "state", "tenuto")  # noqa: PTH111 - never raises
