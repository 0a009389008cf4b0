"""The journal: the one door to spools, archive and readers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, Self

from tenuto.capture import ErrorEvent, Plain, new_id, plain
from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import FaultClass
from tenuto.forking import survive_forks

from .durability import Durability, choose_durability
from .encoding import encode
from .folding import Folds
from .location import journal_folder
from .losses import Losses
from .mover import Moved
from .reading import REPEAT, Readable
from .records import Attempt, AttemptEnd, Outcome, Transition
from .retention import Pruned, Retention
from .tallying import Tallies
from .writer import Writer

__all__ = ["Journal", "open_journal"]

_FLUSH_EVERY = 1.0  # seconds that a count of repeats may be in memory alone


class Journal(Readable):
    """Everything that went wrong, and how each input ended; survives the death of its writers.

    ``path`` is a folder; None stands for ``TENUTO_JOURNAL``, else a folder of the user's own.
    Nothing is read or written before it is needed. For many threads, many processes, and forks.

    What is appended is durable against the death of the process on return, and against a power
    cut too where ``durability`` is ``full``, for an fsync each time; None stands for
    ``TENUTO_JOURNAL_DURABILITY``, else ``normal``. Only the counts of folded repeats and of what
    policies do may lag by up to a second. No writing method raises or waits for another process:
    what the disk does not take is kept in a bounded memory, and ``losses`` says what even that
    could not hold.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        retention: Retention | None = None,
        durability: Durability | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        folder = journal_folder(path)
        self._losses = Losses()
        self._folds = Folds()
        self._tallies = Tallies()
        self._flushed_at = clock.monotonic()
        self._wake: Callable[[], None] | None = None
        durability = choose_durability(durability, self._losses)
        writer = Writer(folder / "spools", clock, self._losses, durability)
        super().__init__(folder, clock, writer, self._losses, retention or Retention())
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

    def annotate(self, event_id: str, context: Mapping[str, Plain]) -> None:
        """Add to a stored event. Of a repeat, which is only a number, nothing more is kept."""
        if REPEAT not in event_id:
            self._write("annotation", {"event_id": event_id, "context": context})

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
        return self._mend(lambda: self._mover.prune(retention))

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
    durability: Durability | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Journal:
    """The journal in the folder ``path``, with what dead processes left behind taken in.

    None stands for ``TENUTO_JOURNAL``, else a folder of the user's own. Where nothing can be
    stored, the journal is kept in memory. Raises nothing but ConfigurationError, where
    ``durability`` is neither ``normal`` nor ``full``.
    """
    journal = Journal(path, retention=retention, durability=durability, clock=clock)
    journal.move()
    return journal
