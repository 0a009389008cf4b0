"""Ends a worker process that no longer gets anywhere, and notes where it was.

Native code may hang while it holds the interpreter's lock, so the watch is kept by a thread that
needs no lock: the one in ``faulthandler``. It writes down where every thread is, and ends the
process; ``faulthandler`` does the same for a crash. What native libraries complain of is noted
beside it: a process that ends itself has often said why. The notes are what a quarantine shows.
"""

from __future__ import annotations

import faulthandler
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tenuto.clock import SYSTEM_CLOCK, Clock

__all__ = ["Notes", "Patience", "Watchdog", "read_notes"]

_MOST_NOTES = 100_000  # characters
_MOST_WORDS = 4_000  # bytes
_LONGEST_LINE = 300  # characters
_MOST_FRAMES = 20
_THREAD = re.compile(r"^(Current thread|Thread) 0x.*$", re.MULTILINE)
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)

_REARM = 1.0
"""Seconds. To set the limit anew costs 50 µs, and for less it is not worth that."""

_NO_MEMORY = re.compile(
    r"bad_alloc|memory allocation (of|still failed)|out of memory|cannot allocate memory"
    r"|MemoryError",
    re.IGNORECASE,
)
"""What C++, Rust, OpenBLAS, the C library and Python say before they give up."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a worker may go without getting anywhere with a recording.

    It is given ``seconds``, and ``per_second`` for each second of sound in the piece of work that
    it has begun: with the default it is taken to hang when it is slower than half of real time,
    and a minute over. Even the heaviest engine is some twenty times as fast as real time on one
    core. A long recording comes in many pieces, so it is not the length that is limited.

    ``start`` is what it is given, in seconds, to load its libraries, and at least for each piece of
    the first recording that it gives to an engine, which loads a model. At rest that takes one.
    """

    seconds: float = 60.0
    per_second: float = 2.0
    start: float = 300.0

    def for_length(self, audio_seconds: float) -> float:
        """The limit in seconds."""
        return self.seconds + self.per_second * audio_seconds


class Watchdog:
    """Keeps watch over this process. ``watch`` before each piece of work, ``rest`` after the last.

    From now on, what native libraries write to standard error goes to the notes: people see the
    run's progress there, and the decoder's checks find and tell what decoders complain of.
    """

    def __init__(self, notes: Path, patience: Patience, clock: Clock = SYSTEM_CLOCK) -> None:
        self._patience = patience
        self._file: TextIO = notes.open("w+", encoding="utf-8", errors="replace")
        faulthandler.enable(self._file)
        self._words = os.open(_words_beside(notes), os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
        os.dup2(self._words, 2)
        self._clock = clock
        self._ends: float | None = None

    def watch_start(self, audio_seconds: float = 0.0) -> None:
        """Allow what is to be loaded its time, on top: it is long where disks are slow."""
        self._allow(max(self._patience.start, self._patience.for_length(audio_seconds)))

    def watch(self, audio_seconds: float) -> None:
        """Allow the next piece as long as ``audio_seconds`` of sound deserve."""
        self._allow(self._patience.for_length(audio_seconds))

    def _allow(self, limit: float) -> None:
        ends = self._clock.monotonic() + limit
        if self._ends is not None and abs(ends - self._ends) < _REARM:
            return
        faulthandler.dump_traceback_later(limit, exit=True, file=self._file)
        self._ends = ends

    def rest(self) -> None:
        """Between two recordings nothing is late, and what was said before is of no interest."""
        faulthandler.cancel_dump_traceback_later()
        self._ends = None
        os.ftruncate(self._words, 0)


@dataclass(frozen=True, slots=True)
class Notes:
    """What a process that died could still write down; all empty if it was killed from outside."""

    hung: bool = False
    stack: tuple[str, ...] = ()
    """Where its thread was, as ``file:line in function``, innermost first."""
    words: str = ""
    """The last line that it wrote to standard error."""
    starved: bool = False
    """Whether it said that there was no memory left."""


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
    words = _last_words(path)
    last = next((line for line in reversed(words.splitlines()) if line.strip()), "")
    starved = _NO_MEMORY.search(words) is not None
    return Notes(text.startswith("Timeout"), stack[:_MOST_FRAMES], last[:_LONGEST_LINE], starved)


def _last_words(notes: Path) -> str:
    try:
        with _words_beside(notes).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _MOST_WORDS))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _words_beside(notes: Path) -> Path:
    return notes.with_suffix(".words")
