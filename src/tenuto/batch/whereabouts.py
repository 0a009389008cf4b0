"""At which step a process was that is gone.

Attempts in the journal tell of the steps that are risky. To hash the bytes of a recording comes
before those, and only the stack tells of it: a further attempt would cost every recording more than
it is worth. The stack tells as well whether a process that hung was waiting for a file.
"""

from __future__ import annotations

import re

from tenuto.journal import Attempt

from .executors import Death, Manner

__all__ = ["READ", "WRITE", "step_of"]

READ, WRITE = "read", "encode"
"""The steps at which files are waited for: by what they do, whichever step it is for."""

_OURS = re.compile(r"(?:^|/)tenuto/((?:audio|batch)/.+):\d+ in ")
_FILES = {
    "batch/content.py": READ,
    "audio/codec/access.py": READ,
    "audio/output.py": WRITE,
    "audio/writer.py": WRITE,
    "audio/codec/writing.py": WRITE,
}
"""Where of ours a process is that waits for a file, by the innermost frame."""


def step_of(death: Death, attempt: Attempt | None) -> str | None:
    """The step, by the ``attempt`` that is still open, if any; None if it had not begun."""
    ours = (match[1] for frame in death.stack if (match := _OURS.search(frame)))
    on_files = _FILES.get(next(ours, ""))
    if attempt is None:
        return READ if on_files == READ else None
    return on_files if on_files and death.manner is Manner.HUNG else attempt.step
