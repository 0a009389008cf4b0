"""Ends a worker process that no longer gets anywhere, and notes where it was.

Native code may hang while it holds the interpreter's lock, so the watch is kept by a thread that
needs no lock: the one in ``faulthandler``. It writes down where every thread is, and ends the
process; ``faulthandler`` does the same for a crash. The notes are what a quarantine shows.
"""

from __future__ import annotations

import faulthandler
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

__all__ = ["Patience", "Watchdog", "read_notes"]

_MAX_NOTES = 4000
"""Characters. The beginning is what counts: the thread that failed is first."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one step of the work on one recording may take.

    A step is given ``seconds``, and ``per_second`` for each second of sound: with the default it
    is taken to hang when it is slower than half of real time, and a minute over. Even the
    heaviest engine is some twenty times as fast as real time on one core.
    """

    seconds: float = 60.0
    per_second: float = 2.0

    def for_length(self, audio_seconds: float) -> float:
        """The limit in seconds."""
        return self.seconds + self.per_second * audio_seconds


class Watchdog:
    """Keeps watch over this process. ``watch`` before each step, ``rest`` after the last."""

    def __init__(self, notes: Path, patience: Patience) -> None:
        self._patience = patience
        self._file: TextIO = notes.open("w+", encoding="utf-8", errors="replace")
        faulthandler.enable(self._file)

    def watch(self, audio_seconds: float) -> None:
        """Allow the next step as long as ``audio_seconds`` of sound deserve."""
        limit = self._patience.for_length(audio_seconds)
        faulthandler.dump_traceback_later(limit, exit=True, file=self._file)

    @staticmethod
    def rest() -> None:
        """Between two recordings nothing is late."""
        faulthandler.cancel_dump_traceback_later()


def read_notes(notes: Path) -> str:
    """What the watchdog, or a crash, wrote; empty where the process was killed from outside."""
    try:
        with notes.open(encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_NOTES).strip()
    except OSError:
        return ""
