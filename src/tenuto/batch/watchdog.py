"""Ends a worker process that no longer gets anywhere, and notes where it was.

Native code may hang while it holds the interpreter's lock, so the watch is kept by a thread that
needs no lock: the one in ``faulthandler``. It writes down where every thread is, and ends the
process; ``faulthandler`` does the same for a crash. The notes are what a quarantine shows.
"""

from __future__ import annotations

import faulthandler
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

__all__ = ["Notes", "Patience", "Watchdog", "read_notes"]

_MOST_NOTES = 100_000  # characters
_MOST_FRAMES = 20
_THREAD = re.compile(r"^(Current thread|Thread) 0x.*$", re.MULTILINE)
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)


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


@dataclass(frozen=True, slots=True)
class Notes:
    """What a process that died could still write down; all empty if it was killed from outside."""

    hung: bool = False
    stack: tuple[str, ...] = ()
    """Where its thread was, as ``file:line in function``, innermost first."""


def read_notes(path: Path) -> Notes:
    """The notes in the file that was given to a ``Watchdog``."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_MOST_NOTES)
    except OSError:
        return Notes()
    # After a crash the thread that crashed is called current. A hang is told of from outside:
    # there the main thread, which does all the work, is the last.
    threads = _THREAD.split(text)
    current = [i for i, part in enumerate(threads) if part == "Current thread"]
    frames = _FRAME.findall(threads[current[0] + 1] if current else threads[-1])
    stack = tuple(f"{file}:{line} in {function}" for file, line, function in frames)
    return Notes(hung=text.startswith("Timeout"), stack=stack[:_MOST_FRAMES])
