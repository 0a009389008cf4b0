"""The reading half of a journal: what it is asked, and how readers follow it."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from tenuto.capture import ErrorEvent
from tenuto.clock import SYSTEM_CLOCK, Clock

from . import queries
from .archive import Archive, is_damage
from .collecting import collect
from .following import Follower
from .locks import FileLock
from .losses import Losses
from .mover import Moved, Mover
from .overlay import overlay
from .records import (
    Attempt,
    Batch,
    Foreign,
    Group,
    Outcome,
    Reader,
    Record,
    Standing,
    Tally,
    Transition,
)
from .retention import Retention
from .standing import forget, note_trouble, refusal, standings
from .trends import Trend, trends
from .writer import Writer

__all__ = ["REPEAT", "Readable"]

P = ParamSpec("P")
T = TypeVar("T")

REPEAT = "-"
"""What stands between the id of an event and the number of one of its repeats."""

_LEASE_TRIES = 50
_LEASE_PAUSE = 0.02  # seconds


class Readable(ABC):
    """Sees as one what is in the spools, in the archive, and in the memory of this process."""

    def __init__(
        self, path: Path, clock: Clock, writer: Writer, losses: Losses, retention: Retention
    ) -> None:
        self.path = path
        self.clock = clock
        self._writer = writer
        # Reentrant: a signal handler may read the journal in the middle of a read.
        self._reading = threading.RLock()
        self._spools = writer.folder
        self._archive = Archive(path, clock, losses)
        self._mover = Mover(path, self._spools, self._archive, losses, retention)
        self._follower = Follower(self._archive, self._spools)
        self._own_positions: dict[str, int] = {}

    @abstractmethod
    def flush(self) -> None:
        """Make durable what is in memory alone."""

    def groups(self) -> list[Group]:
        """All groups of errors, the most frequent first."""
        return self._ask(queries.groups)

    def trends(self) -> dict[str, Trend]:
        """Of each group, by fingerprint, how often it was seen lately, and where that leads."""
        return self._ask(trends, self.clock.now())

    def events(self, group: str | None = None, limit: int = 100) -> list[ErrorEvent]:
        """Errors that were stored whole, newest first; those of one group, by fingerprint."""
        return self._ask(queries.events, group, limit)

    def event(self, event_id: str) -> ErrorEvent | None:
        """The error of this id. For a repeat, the event that it was folded into."""
        return self._ask(queries.event, event_id.partition(REPEAT)[0])

    def ids_from(self, beginning: str) -> tuple[int, str]:
        """How many errors stored whole have an id that begins so, and the first of these ids."""
        return self._ask(queries.ids_from, beginning)

    def repeats(self, event_id: str) -> int:
        """How many repeats were folded into an event."""
        return self._ask(queries.repeats, event_id)

    def seen_before(self, group: str, position: int) -> float | None:
        """When the last error of a group was stored whole before a record; None: it is its first.

        ``group`` is the fingerprint, ``position`` the record's, as a reader of the machine's
        journal is told it. In seconds since 1970 UTC.
        """
        return self._ask(queries.seen_before, group, position)

    def outcomes(self, limit: int | None = None) -> list[Outcome]:
        """How inputs ended, oldest first: all, or the newest ``limit``."""
        return self._ask(queries.outcomes, limit)

    def outcome_of(self, error_id: str) -> Outcome | None:
        """How the input ended on whose way an error was met, where that is known."""
        return self._ask(queries.outcome_of, error_id)

    def attempts(self, work: str | None = None) -> list[Attempt]:
        """Attempts in the order in which they started: all, or those at one work."""
        return self._ask(queries.attempts, work, only_open=False)

    def open_attempts(self, work: str | None = None) -> list[Attempt]:
        """Attempts that nobody has closed: going on, or cut short by the death of a process."""
        return self._ask(queries.attempts, work, only_open=True)

    def transitions(
        self,
        policy: str | None = None,
        limit: int = 100,
        *,
        between: tuple[float, float] | None = None,
    ) -> list[Transition]:
        """Changes of state, newest first: of all policies, or of one.

        ``between`` two times, in seconds since 1970 UTC; both belong to it.
        """
        return self._ask(queries.transitions, policy, limit, between)

    def latest_states(self, policy: str) -> dict[str, Transition]:
        """By name, the last change of a policy that tells what it has to know to go on.

        And of each of its keys: of ``hub``, and of ``hub[eu]``. Newest first.
        """
        return self._ask(queries.latest_states, policy)

    def tallies(self) -> list[Tally]:
        """What policies have done, and how often, in all processes together."""
        return self._ask(queries.tallies)

    def drops(self) -> dict[str, int]:
        """What all processes together could not store, by reason."""
        return self._ask(queries.drops)

    def check(self) -> list[str]:
        """What is wrong with the file, in SQLite's words; nothing, where it is whole."""
        return self._ask(queries.damage)

    def everything(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every record, with its kind, for other programs: plain values only.

        Nothing is moved or pruned until the last has been taken. Raises ``sqlite3.DatabaseError``
        where damage is met on the way; asked again, it tells what is left.
        """
        try:
            with self._view() as db:
                yield from queries.everything(db)
        except sqlite3.DatabaseError as error:
            self._begin_anew_after(error)
            raise

    def read(self, reader: Reader, limit: int = 100) -> Batch:
        """What ``reader`` is told next. It is told again until the reader has advanced.

        Raises ``sqlite3.Error`` or ``OSError`` if it cannot be read now.
        """
        if reader.own:
            with self._reading:
                ring, process = self._writer.ring(), self._writer.process
                after = self._own_positions.get(reader.name, 0)
                return self._follower.next(process, ring, after, limit)
        batch = self._ask(queries.records_after, reader, self.clock.now(), limit)
        with suppress(sqlite3.Error, OSError):  # what was asked may have been a copy in memory
            self._mend(lambda: queries.begin(self._archive.connect(), reader))
        return batch

    def advance(self, reader: Reader, position: int, told: Sequence[Record] = ()) -> None:
        """``reader`` has done with everything up to ``position``; ``told`` are the last of it.

        Raises ``sqlite3.Error`` or ``OSError`` if that cannot be written down.
        """
        if reader.own:
            self._own_positions[reader.name] = position
            return
        self._mend(lambda: queries.tell(self._archive.connect(), reader, told, position))

    def standings(self) -> list[Standing]:
        """How far each reader of the machine's journal has come, and what keeps it."""
        return self._ask(standings)

    def note_trouble(
        self, reader: Reader, error: str, *, refused_until: float | None = None
    ) -> None:
        """``reader`` could not be told, for a reason in a line; it stands until it has advanced.

        ``refused_until`` is when its destination wants to hear from it again, in seconds since
        1970 UTC. Raises ``sqlite3.Error`` or ``OSError`` if that cannot be written down.
        """
        now = self.clock.now()
        self._mend(lambda: note_trouble(self._archive.connect(), reader, now, error, refused_until))

    def forget(self, name: str) -> bool:
        """Let go of the reader called ``name``, which is gone for good; whether there was one.

        What nobody has still to be told of is not kept for anybody. A reader of this name that
        comes after all begins anew. Raises ``sqlite3.Error`` or ``OSError`` if that cannot be
        written down.
        """
        return self._mend(lambda: forget(self._archive.connect(), name))

    def refusal(self, reader: Reader) -> tuple[float, str] | None:
        """Until when ``reader`` was asked to leave its destination alone, and why, where it was.

        In seconds since 1970 UTC; that time may be over.
        """
        return self._ask(refusal, reader)

    def identity(self) -> str:
        """What this journal is called among those of other machines; a new file is a new one."""
        return self._ask(queries.identity)

    def collect(self, records: Sequence[Foreign]) -> int:
        """Take in records of other machines, all or none; how many of them were new.

        Raises ``sqlite3.Error`` or ``OSError`` where they cannot be written.
        """
        return self._mend(lambda: collect(self._archive.connect(), records))

    @contextmanager
    def lease(self, reader: Reader) -> Generator[bool, None, None]:
        """Whether this process may tell ``reader`` now: of all processes, one at a time does.

        Raises ``OSError`` if there can be no lease.
        """
        digest = hashlib.sha256(reader.name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock.acquire(self.path / f"reader-{digest}.lock")
        try:
            yield lock is not None
        finally:
            if lock is not None:
                lock.release()

    def _ask(
        self,
        question: Callable[Concatenate[sqlite3.Connection, P], T],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        """The answer to ``question``, of all there is."""

        def answer() -> T:
            with self._view() as db:
                return question(db, *arguments, **named)

        return self._mend(answer)

    def _mend(self, do: Callable[[], T]) -> T:
        """``do`` it; once more with a new archive, where the old one is found to be damaged."""
        with self._reading:
            try:
                return do()
            except sqlite3.DatabaseError as error:
                if not self._begin_anew_after(error):
                    raise
            return do()

    def _begin_anew_after(self, error: sqlite3.DatabaseError) -> bool:
        """Begin a new archive if ``error`` tells of damage; whether it does."""
        if not is_damage(error):
            return False
        with self._reading:
            self._mover.replace_damaged()
        return True

    @contextmanager
    def _view(self) -> Generator[sqlite3.Connection, None, None]:
        """The archive with everything in it; failing that, a copy in memory that has it."""
        self.flush()
        with self._reading:
            if self._settle():
                yield self._archive.connect()
                return
            copy = overlay(self._archive, self._spools, self._writer.process, self._writer.ring())
            try:
                yield copy
            finally:
                copy.close()

    def _settle(self) -> bool:
        if self._writer.ring():
            return False
        for _ in range(_LEASE_TRIES):
            moved = self._mover.move()
            if moved is not Moved.BUSY:
                return moved is Moved.ALL
            SYSTEM_CLOCK.sleep(_LEASE_PAUSE)  # others work in real time, whatever our clock
        return False
