"""At which step a process was that is gone.

Attempts in the journal tell of the steps that are risky. To hash the bytes of a recording comes
before those, and only the stack tells of it: a further attempt would cost every recording more than
it is worth. The stack tells as well whether a process that hung was waiting for a file.
"""

from __future__ import annotations

import re

from tenuto.batch.executors import Death, Manner
from tenuto.journal import Attempt

__all__ = ["ON_FILES", "READ", "step_of"]

READ, _WRITE, _NOTE = "read", "encode", "journal"
ON_FILES = {READ, _WRITE, _NOTE}
"""The steps at which files are waited for: by what they do, whichever step it is for."""

_OURS = re.compile(r"(?:^|/)tenuto/((?:audio|batch|journal)/.+):\d+ in ")
_HASHING, _FROM_HERE = "batch/content.py", "audio/enhance.py"
"""Whoever came to these has begun, though there may be no attempt yet."""
_FILES = {
    _HASHING: READ,
    "audio/codec/access.py": READ,
    "audio/output.py": _WRITE,
    "audio/writer.py": _WRITE,
    "audio/codec/writing.py": _WRITE,
}
"""Where of ours a process is that waits for a file, by the innermost frame."""


def step_of(death: Death, attempt: Attempt | None) -> str | None:
    """The step, by the ``attempt`` that is still open, if any; None if it had not begun."""
    ours = [match[1] for frame in death.stack if (match := _OURS.search(frame))]
    innermost = ours[0] if ours else ""
    on_files = _NOTE if innermost.startswith("journal/") else _FILES.get(innermost)
    if attempt is None:
        begun = _HASHING in ours or _FROM_HERE in ours
        return (on_files or READ) if begun else None
    return on_files if on_files and death.manner is Manner.HUNG else attempt.step
