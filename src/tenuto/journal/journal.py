"""The journal: the one door to spools, archive and readers."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any, Self

from tenuto.capture import ErrorEvent, Plain, new_id, plain
from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import FaultClass

from . import queries
from .archive import Archive
from .collecting import collect
from .encoding import encode
from .folding import Folds
from .following import Follower
from .forking import survive_forks
from .location import journal_folder
from .locks import FileLock
from .losses import Losses
from .mover import Moved, Mover
from .overlay import overlay
from .records import (
    Attempt,
    AttemptEnd,
    Batch,
    Foreign,
    Group,
    Outcome,
    Reader,
    Record,
    Tally,
    Transition,
)
from .retention import Pruned, Retention
from .tallying import Tallies
from .writer import Writer

__all__ = ["Journal", "open_journal"]

_FLUSH_EVERY = 1.0  # seconds that a count of repeats may be in memory alone
_LEASE_TRIES = 50
_LEASE_PAUSE = 0.02  # seconds
_REPEAT = "-"


class Journal:
    """Everything that went wrong, and how each input ended; survives the death of its writers.

    ``path`` is a folder; None stands for ``TENUTO_JOURNAL``, else a folder of the user's own.
    Nothing is read or written before it is needed. For many threads, many processes, and forks.

    What is appended is durable against the death of the process on return. Only the counts of
    folded repeats and of what policies do may lag by up to a second. No writing method raises or
    waits for another process: what the disk does not take is kept in a bounded memory, and
    ``losses`` says what even that could not hold.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        retention: Retention | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.path = journal_folder(path)
        self.clock = clock
        self._losses = Losses()
        self._folds = Folds()
        self._tallies = Tallies()
        self._flushed_at = clock.monotonic()
        spools = self.path / "spools"
        self._spools = spools
        self._writer = Writer(spools, clock, self._losses)
        # Reentrant: a signal handler may read the journal in the middle of a read.
        self._reading = threading.RLock()
        self._archive = Archive(self.path, clock, self._losses)
        retention = retention or Retention()
        self._mover = Mover(self.path, spools, self._archive, self._losses, retention)
        self._follower = Follower(self._archive, spools)
        self._own_positions: dict[str, int] = {}
        self._wake: Callable[[], None] | None = None
        survive_forks(self)

    # Writing

    def append(self, event: ErrorEvent) -> None:
        """Store an error whole."""
        self._write("event", event.to_dict())
        self._folds.keep(event, self.clock.monotonic())

    def fold(self, fingerprint: str, context: Mapping[str, Plain]) -> tuple[ErrorEvent, int] | None:
        """Count an error as a repeat, where it is one of a fault that is known well enough.

        Returns the stored event that it is folded into, and its number among the repeats; None if
        the error is to be captured and appended.
        """
        monotonic = self.clock.monotonic()
        folded = self._folds.fold(fingerprint, context, self.clock.now(), monotonic)
        if folded is not None and self._wake is not None:
            self._wake()
        self._tell_counts_when_due(monotonic)
        return folded

    def annotate(
        self,
        event_id: str,
        context: Mapping[str, Plain] | None = None,
        handled_by: str | None = None,
    ) -> None:
        """Add to a stored event. Of a repeat, which is only a number, nothing more is kept."""
        if _REPEAT not in event_id:
            note = {"event_id": event_id, "context": context or {}, "handled_by": handled_by}
            self._write("annotation", note)

    def record(self, what: Outcome | Transition) -> None:
        """Store how an input ended, or that a policy changed its state."""
        if what.time is None:
            what = replace(what, time=self.clock.now())
        self._write("outcome" if isinstance(what, Outcome) else "transition", _fields(what))

    def count(self, policy: str, name: str, what: str, count: int = 1) -> None:
        """Count what is too frequent to be stored each time; durable within a second."""
        self._tallies.add((policy, name, what), count)
        if self._wake is not None:
            self._wake()
        self._tell_counts_when_due(self.clock.monotonic())

    def open_attempt(self, attempt: Attempt) -> str:
        """Store an attempt before it is made, so that a killed process leaves evidence.

        Returns the attempt's id.
        """
        attempt_id = attempt.id or new_id(self.clock)
        started = attempt.started or self.clock.now()
        self._write("attempt", {**_fields(attempt), "id": attempt_id, "started": started})
        return attempt_id

    def close_attempt(
        self,
        attempt_id: str,
        ended: AttemptEnd | str,
        error_id: str | None = None,
        *,
        fault_class: FaultClass | None = None,
        wait: float | None = None,
        duration: float | None = None,
    ) -> None:
        """Store how an attempt ended; any process may. ``wait`` and ``duration`` in seconds."""
        ending = {"error_id": error_id, "fault_class": fault_class}
        times = {"wait": wait, "duration": duration}
        self._write("attempt_end", {"id": attempt_id, "ended": ended, **ending, **times})

    @property
    def losses(self) -> Mapping[str, int]:
        """What this process could not store or read, and how often, by reason."""
        return self._losses.seen()

    def wake_with(self, wake: Callable[[], None]) -> None:
        """Have ``wake`` called, which must not raise, whenever there is something to flush or move.

        Without it, that is done when the journal is read or closed.
        """
        self._wake = wake

    def count_loss(self, reason: str, count: int = 1) -> None:
        """Remember that something was lost on its way into the journal, or out of it."""
        self._losses.add(reason, count)

    def flush(self) -> None:
        """Make the counts of repeats durable, and offer the disk what it has refused before."""
        self._tell_counts(self.clock.monotonic())
        self._writer.flush()
        # In memory, the news of what is lost would drive out what is not lost yet.
        if not self._writer.ring():
            for reason, count in self._losses.take_untold().items():
                self._write("drop", {"reason": reason, "count": count})

    def move(self) -> Moved:
        """Move what is in the spools of this machine into the archive, unless another does."""
        with self._reading:
            return self._mover.move()

    def prune(self, retention: Retention | None = None) -> Pruned | None:
        """Let go now of what is not kept, which is otherwise done once an hour.

        By ``retention``, else the journal's own. None: another process is at it. Raises
        ``sqlite3.Error`` or ``OSError`` where the journal cannot be written.
        """
        self.flush()
        with self._reading:
            return self._mover.prune(retention)

    def close(self) -> None:
        """Flush, and let go of all files. The journal can be used again."""
        self.flush()
        with self._reading:
            self._writer.close()
            self._archive.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, kind: str, body: dict[str, Any]) -> None:
        try:
            text = encode(body)
        except Exception:  # a value made to break encoders, or one that refers to itself
            text = encode({str(name): plain(value) for name, value in body.items()})
        self._writer.write([(kind, text)])
        if self._wake is not None:
            self._wake()

    def _tell_counts_when_due(self, monotonic: float) -> None:
        if monotonic - self._flushed_at >= _FLUSH_EVERY:
            self._tell_counts(monotonic)

    def _tell_counts(self, monotonic: float) -> None:
        self._flushed_at = monotonic
        # Counts that one thread has taken and not yet written would be missing to another's reader.
        with self._writer.lock:
            grown = [("slice", encode(part)) for part in self._folds.take_dirty()]
            grown += [("tally", encode(part)) for part in self._tallies.take_grown()]
            if grown:
                self._writer.write(grown)

    # Reading

    def groups(self) -> list[Group]:
        """All groups of errors, the most frequent first."""
        with self._view() as db:
            return queries.groups(db)

    def events(self, group: str | None = None, limit: int = 100) -> list[ErrorEvent]:
        """Errors that were stored whole, newest first; those of one group, by fingerprint."""
        with self._view() as db:
            return queries.events(db, group, limit)

    def event(self, event_id: str) -> ErrorEvent | None:
        """The error of this id. For a repeat, the event that it was folded into."""
        with self._view() as db:
            return queries.event(db, event_id.partition(_REPEAT)[0])

    def repeats(self, event_id: str) -> int:
        """How many repeats were folded into an event."""
        with self._view() as db:
            return queries.repeats(db, event_id)

    def seen_before(self, group: str, position: int) -> float | None:
        """When the last error of a group was stored whole before a record; None: it is its first.

        ``group`` is the fingerprint, ``position`` the record's, as a reader of the machine's
        journal is told it. In seconds since 1970 UTC.
        """
        with self._view() as db:
            return queries.seen_before(db, group, position)

    def outcomes(self, limit: int | None = None) -> list[Outcome]:
        """How inputs ended, oldest first: all, or the newest ``limit``."""
        with self._view() as db:
            return queries.outcomes(db, limit)

    def attempts(self, work: str | None = None) -> list[Attempt]:
        """Attempts in the order in which they started: all, or those at one work."""
        with self._view() as db:
            return queries.attempts(db, work, only_open=False)

    def open_attempts(self, work: str | None = None) -> list[Attempt]:
        """Attempts that nobody has closed: going on, or cut short by the death of a process."""
        with self._view() as db:
            return queries.attempts(db, work, only_open=True)

    def transitions(self, policy: str | None = None, limit: int = 100) -> list[Transition]:
        """Changes of state, newest first: of all policies, or of one."""
        with self._view() as db:
            return queries.transitions(db, policy, limit)

    def latest_states(self, policy: str) -> dict[str, Transition]:
        """By name, the last change of a policy that tells what it has to know to go on.

        And of each of its keys: of ``hub``, and of ``hub[eu]``. Newest first.
        """
        with self._view() as db:
            return queries.latest_states(db, policy)

    def tallies(self) -> list[Tally]:
        """What policies have done, and how often, in all processes together."""
        with self._view() as db:
            return queries.tallies(db)

    def drops(self) -> dict[str, int]:
        """What all processes together could not store, by reason."""
        with self._view() as db:
            return queries.drops(db)

    def check(self) -> list[str]:
        """What is wrong with the file, in SQLite's words; nothing, where it is whole."""
        with self._view() as db:
            return queries.damage(db)

    def everything(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every record, with its kind, for other programs: plain values only.

        Nothing is moved or pruned until the last has been taken.
        """
        with self._view() as db:
            yield from queries.everything(db)

    def read(self, reader: Reader, limit: int = 100) -> Batch:
        """What ``reader`` is told next. It is told again until the reader has advanced.

        Raises ``sqlite3.Error`` or ``OSError`` if it cannot be read now.
        """
        if reader.own:
            with self._reading:
                ring, process = self._writer.ring(), self._writer.process
                after = self._own_positions.get(reader.name, 0)
                return self._follower.next(process, ring, after, limit)
        with self._view() as db:
            return queries.records_after(db, reader, self.clock.now(), limit)

    def advance(self, reader: Reader, position: int, told: Sequence[Record] = ()) -> None:
        """``reader`` has done with everything up to ``position``; ``told`` are the last of it.

        Raises ``sqlite3.Error`` or ``OSError`` if that cannot be written down.
        """
        if reader.own:
            self._own_positions[reader.name] = position
            return
        with self._reading:
            queries.tell(self._archive.connect(), reader, told, position)

    def lags(self) -> dict[str, int]:
        """For each reader of the machine's journal, how many records it has not been told of."""
        with self._view() as db:
            return queries.lags(db)

    def identity(self) -> str:
        """What this journal is called among those of other machines; a new file is a new one."""
        with self._view() as db:
            return queries.identity(db)

    def collect(self, records: Sequence[Foreign]) -> int:
        """Take in records of other machines, all or none; how many of them were new.

        Raises ``sqlite3.Error`` or ``OSError`` where they cannot be written.
        """
        with self._reading:
            return collect(self._archive.connect(), records)

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
            self.clock.sleep(_LEASE_PAUSE)
        return False

    # Forks

    def rest(self) -> None:
        """Come to rest before a fork. For ``forking`` only, like the two below."""
        self._reading.acquire()
        self._writer.lock.acquire()

    def resume(self) -> None:
        self._writer.lock.release()
        self._reading.release()

    def begin_anew_in_child(self) -> None:
        self._archive.close()  # safe at rest, and necessary: SQLite must not know it any more
        self._writer.begin_anew_in_child()
        self._losses.begin_anew_in_child()
        # Counts that are not told yet are the parent's to tell.
        self._folds = Folds()
        self._tallies = Tallies()
        self._own_positions.clear()
        self.resume()


def _fields(record: Outcome | Attempt | Transition) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


def open_journal(
    path: str | os.PathLike[str] | None = None,
    *,
    retention: Retention | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Journal:
    """The journal in the folder ``path``, with what dead processes left behind taken in.

    None stands for ``TENUTO_JOURNAL``, else a folder of the user's own. Never raises: where
    nothing can be stored, the journal is kept in memory.
    """
    journal = Journal(path, retention=retention, clock=clock)
    journal.move()
    return journal
