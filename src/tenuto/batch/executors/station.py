"""What a cluster's worker does for a run: each attempt in a process of its own, as on one machine.

Whatever a recording does to that process, the cluster's worker survives it, and tells how it ended.
Errors and attempts are in the journal of the worker's machine first; they travel with the answers,
and again until the run says that it has them.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import sqlite3
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from distributed import Status, get_worker

from tenuto.audio.names import path_text
from tenuto.batch.executors import Answer, Death, Ended, Halt, Task
from tenuto.batch.memory import Machine, Shares, share_out
from tenuto.batch.worker import WorkerSettings
from tenuto.clock import SYSTEM_CLOCK
from tenuto.journal import Attempt, AttemptEnd, Foreign, Journal, Reader, open_journal

from .local import LocalWorkers
from .wire import Undone, from_text, to_text

__all__ = ["attempt", "ignore_ctrl_c", "leave"]

_LOOK = 0.5  # seconds between two looks at whether the attempt is still wanted
_AT_ONCE = 500  # records that travel with one answer
_UNUSED = 60.0  # seconds after which a station lets its processes go, for the sake of others
# A worker that retires takes nothing more, but may end what it has in hand.
_AT_WORK = (Status.running, Status.paused, Status.closing_gracefully)

_stations: dict[str, _Station] = {}
_told: dict[str, int] = {}
"""By journal, up to which record runs are known to have it: those here may share one of theirs."""
_lock = threading.Lock()


def ignore_ctrl_c() -> None:
    """Let the run decide what it ends. For the main thread, which is where Dask runs this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def attempt(run: str, journal: str, settings: str, landmark: str, task: str, has: str) -> str:
    """Make one attempt for ``run``, which keeps ``journal``; all in the form of ``wire``.

    ``landmark`` is a file that is there if this machine sees the output folder. ``has`` says, by
    journal, up to which record the run has been told. Returns the end, the attempts that a death
    has left open, and the next records; or an Undone, where somebody else is to make it.
    """
    wanted = _still_wanted()
    given: Task = from_text(task)
    work: WorkerSettings = from_text(settings)
    machine = os.uname().nodename
    if not os.path.exists(landmark):  # noqa: PTH110 - a path as it was given
        where = os.path.dirname(landmark)  # noqa: PTH120
        host = multiprocessing.current_process().name
        halt = Halt(f"{host} on {machine} does not see {where}: share that folder")
        return to_text((Answer(given, halt), (), ()))
    worker = get_worker().address
    try:
        station = _station(run, journal, work)
        ended = station.on(given, wanted)
        if ended is None:
            return to_text((Undone(worker, machine), (), station.news(json.loads(has))))
        return to_text((ended, station.evidence(ended), station.news(json.loads(has))))
    except (MemoryError, OSError, sqlite3.Error) as error:  # the machine's, and not the work's
        return to_text((Undone(worker, machine, f"{type(error).__name__}: {error}"), (), ()))


def leave(run: str, has: str) -> str:
    """End what this process does for ``run``; returns the records that it has not been told of."""
    with _lock:
        station = _stations.pop(run, None)
    if station is None:
        return to_text(())
    station.close()
    # All at once: what it was not told after all, if this is lost on the way, is for the next run.
    news = station.news(json.loads(has), at_most=sys.maxsize)
    station.journal.close()
    return to_text(news)


def _still_wanted() -> Callable[[], bool]:
    """Whether the scheduler is there, and has not taken this attempt back.

    It does that when the run goes away. One that was lost may have given it to somebody else.
    """
    worker = get_worker()
    key = worker.get_current_task()

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        return worker.status in _AT_WORK and task is not None and task.state != "cancelled"

    return wanted


def _station(run: str, journal: str, settings: WorkerSettings) -> _Station:
    with _lock:
        others = [each for name, each in _stations.items() if name != run]
    for other in others:
        other.rest_if_unused()
    with _lock:
        if run not in _stations:
            # A cluster's worker is a daemon of its nanny's, and may have no processes of its own
            # until it says otherwise. Ours end when it does, however it does.
            multiprocessing.current_process().daemon = False
            _stations[run] = _Station(journal, settings)
        return _stations[run]


def _shares(settings: WorkerSettings) -> Shares:
    """This machine's memory shared out, unless the run says how much each is to have."""
    threads = get_worker().state.nthreads
    if settings.memory_limit is not None:
        return Shares(threads, settings.memory_limit, settings.memory_most)
    return share_out(Machine().free(), threads)


class _Station:
    """The processes at work for one run, as many as there are attempts at once.

    ``journal`` is the run's. Another run may keep the same, and then has the same one here: what
    one of them is told, both know. One that was killed leaves in there what the next is told.
    """

    def __init__(self, journal: str, settings: WorkerSettings) -> None:
        self._idle: list[LocalWorkers] = []
        self._lock = threading.Lock()
        self._leaving = False
        self._in_hand = 0
        self._used_at = 0.0
        shares = _shares(settings)
        self._places = _Places(shares.places)
        self.journal: Journal = open_journal(settings.journal)
        self._is_the_runs = self.journal.identity() == journal
        if not self._is_the_runs:  # others may be at work here: what is theirs does not concern it
            self.journal.close()
            self.journal = open_journal(self.journal.path / "runs" / journal)
        self._settings = replace(
            settings,
            journal=str(self.journal.path),
            memory_limit=shares.limit,
            memory_most=shares.most,
        )
        self._reader = Reader(f"run {journal}", everything=True)

    def on(self, task: Task, wanted: Callable[[], bool]) -> Ended | None:
        """How the attempt ended; None if it was not wanted any more, and was cut short."""

        def go_on() -> bool:
            return wanted() and not self._leaving

        with self._lock:
            self._in_hand += 1
        try:
            with self._places.take(task.shares, go_on) as taken:
                return self._make(task, go_on) if taken else None
        finally:
            with self._lock:
                self._in_hand -= 1
                self._used_at = SYSTEM_CLOCK.monotonic()

    def _make(self, task: Task, wanted: Callable[[], bool]) -> Ended | None:
        with self._lock:
            workers = self._idle.pop() if self._idle else None
        workers = workers or LocalWorkers(self._settings, 1)
        try:
            workers.submit(task)
            while not (ended := workers.wait(_LOOK)):
                if not wanted():
                    workers.kill()
                    break
        except BaseException:  # whatever ends this, nobody would wait for its process
            workers.kill()
            raise
        finally:
            with self._lock:
                self._idle.append(workers)
        if not ended or self._leaving:  # the run is gone: nobody else would end what is idle here
            self.rest()
        return ended[0] if ended else None

    def evidence(self, ended: Ended) -> Sequence[Attempt]:
        """What a process that died was at; it is for the run's journal to keep, and to close."""
        if not isinstance(ended, Death) or self._is_the_runs:
            return ()
        work = path_text(ended.task.item.input)
        cut_short = [
            each for each in self.journal.open_attempts(work) if each.started >= ended.given_out
        ]
        for each in cut_short:
            self.journal.close_attempt(each.id, AttemptEnd.FAILED)
        return cut_short

    def news(self, has: dict[str, int], at_most: int = _AT_ONCE) -> Sequence[Foreign]:
        """The next records for the run, which ``has`` been told so far."""
        if self._is_the_runs:
            return ()
        name = self.journal.identity()
        with _lock:
            told = _told[name] = max(_told.get(name, 0), has.get(name, 0))
        if told:
            self.journal.advance(self._reader, told)
        batch = self.journal.read(self._reader, at_most)
        return [
            Foreign(name, each.position, each.process, each.kind, each.body)
            for each in batch.records
        ]

    def rest_if_unused(self) -> None:
        """A run that was killed never leaves; one that waits for something finds all as it was."""
        with self._lock:
            unused = self._idle and not self._in_hand
            unused = unused and SYSTEM_CLOCK.monotonic() - self._used_at >= _UNUSED
        if unused:
            self.rest()
            self.journal.close()

    def rest(self) -> None:
        """End the processes that have nothing to do."""
        with self._lock:
            idle, self._idle = self._idle, []
        for workers in idle:
            with contextlib.suppress(OSError):
                workers.__exit__(None)

    def close(self) -> None:
        self._leaving = True
        self.rest()


class _Places:
    """As many as the memory is enough for. Who comes first has them first, however many."""

    def __init__(self, number: int) -> None:
        self._number = self._free = number
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def take(self, number: int, wanted: Callable[[], bool]) -> Iterator[bool]:
        """Wait for ``number`` places, or for all there are; whether they came in time."""
        number, ticket = min(number, self._number), object()
        with self._changed:
            self._queue.append(ticket)
            while (self._queue[0] is not ticket or self._free < number) and wanted():
                self._changed.wait(_LOOK)
            taken = number if self._queue[0] is ticket and self._free >= number else 0
            self._free -= taken
            self._queue.remove(ticket)
            self._changed.notify_all()
        try:
            yield taken > 0
        finally:
            with self._changed:
                self._free += taken
                self._changed.notify_all()
