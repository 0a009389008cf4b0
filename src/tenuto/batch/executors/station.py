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
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from distributed import Status, get_worker

from tenuto.audio.names import path_text
from tenuto.batch.executors import Answer, Death, Ended, Halt, Task
from tenuto.batch.memory import Machine, share_out
from tenuto.batch.worker import WorkerSettings
from tenuto.journal import Attempt, AttemptEnd, Foreign, Journal, Reader, open_journal

from .local import LocalWorkers
from .wire import from_text, to_text

__all__ = ["attempt", "leave"]

_LOOK = 0.5  # seconds between two looks at whether the attempt is still wanted
_AT_ONCE = 500  # records that travel with one answer
_LEFT = "the run has left"
_AT_WORK = (Status.running, Status.paused)

_stations: dict[str, _Station] = {}
_lock = threading.Lock()


def attempt(run: str, settings: str, landmark: str, task: str, has: str) -> str:
    """Make one attempt for ``run``, the name of the journal it keeps; all in the form of ``wire``.

    ``landmark`` is a file that is there if this machine sees the output folder. ``has`` says, by
    journal, up to which record the run has been told. Returns the end, the attempts that a death
    has left open, and the next records.
    """
    wanted = _still_wanted()
    given: Task = from_text(task)
    if not os.path.exists(landmark):  # noqa: PTH110 - a path as it was given
        where = os.path.dirname(landmark)  # noqa: PTH120
        host = multiprocessing.current_process().name
        halt = Halt(f"{host} on {os.uname().nodename} does not see {where}: share that folder")
        return to_text((Answer(given, halt), (), ()))
    station = _station(run, from_text(settings))
    ended = station.on(given, wanted)
    return to_text((ended, station.evidence(ended), station.news(json.loads(has))))


def leave(run: str, has: str) -> str:
    """End what this process does for ``run``; returns the records that it has not been told of."""
    with _lock:
        station = _stations.pop(run, None)
    if station is None:
        return to_text(())
    station.close()
    news: list[Foreign] = []
    told: dict[str, int] = json.loads(has)
    while more := station.news(told):
        news += more
        told[more[-1].journal] = more[-1].position
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


def _station(run: str, settings: WorkerSettings) -> _Station:
    with _lock:
        if run not in _stations:
            # A cluster's worker is a daemon of its nanny's, and may have no processes of its own
            # until it says otherwise. Ours end when it does, however it does.
            multiprocessing.current_process().daemon = False
            _stations[run] = _Station(run, _with_limit(settings))
        return _stations[run]


def _with_limit(settings: WorkerSettings) -> WorkerSettings:
    """``settings`` with this machine's memory shared out, unless the run says how much it is."""
    if settings.memory_limit is not None:
        return settings
    shares = share_out(Machine().free(), get_worker().state.nthreads)
    return replace(settings, memory_limit=shares.limit, memory_most=shares.most)


class _Station:
    """The processes at work for one run, as many as there are attempts at once."""

    def __init__(self, run: str, settings: WorkerSettings) -> None:
        self._idle: list[LocalWorkers] = []
        self._lock = threading.Lock()
        self._leaving = False
        self.journal: Journal = open_journal(settings.journal)
        self._is_the_runs = self.journal.identity() == run
        if not self._is_the_runs:  # others may be at work here: what is theirs does not concern it
            self.journal.close()
            self.journal = open_journal(self.journal.path / "runs" / run)
        self._settings = replace(settings, journal=str(self.journal.path))
        self._reader = Reader(f"run {run}", everything=True)

    def on(self, task: Task, wanted: Callable[[], bool]) -> Ended:
        with self._lock:
            workers = self._idle.pop() if self._idle else LocalWorkers(self._settings, 1)
        workers.submit(task)
        ended = self._wait_for(workers, wanted) or [Answer(task, Halt(_LEFT))]
        with self._lock:
            self._idle.append(workers)
        return ended[0]

    def _wait_for(self, workers: LocalWorkers, wanted: Callable[[], bool]) -> Sequence[Ended]:
        """The end of the attempt in hand; none if it was not wanted any more, and was cut short."""
        while not (ended := workers.wait(_LOOK)):
            if self._leaving or not wanted():
                workers.kill()
                break
        return ended

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

    def news(self, has: dict[str, int]) -> Sequence[Foreign]:
        """The next records for the run, which ``has`` been told so far."""
        if self._is_the_runs:
            return ()
        name = self.journal.identity()
        if name in has:
            self.journal.advance(self._reader, has[name])
        batch = self.journal.read(self._reader, _AT_ONCE)
        return [
            Foreign(name, each.position, each.process, each.kind, each.body)
            for each in batch.records
        ]

    def close(self) -> None:
        self._leaving = True
        with self._lock:
            idle, self._idle = self._idle, []
        for workers in idle:
            with contextlib.suppress(OSError):
                workers.__exit__(None)
