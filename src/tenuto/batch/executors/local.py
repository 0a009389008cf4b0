"""Worker processes on this machine, one for each place, each with a pipe of its own.

Nothing is shared between them, so that one that dies, however it dies, takes down only what it was
doing: no lock that it held, no queue that it was writing to. The end of its pipe tells of its death
at once, whatever its exit status. A new one is started when the place is next needed.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from tenuto.batch.executors import Answer, Death, Ended, Task
from tenuto.batch.watchdog import Notes, read_notes
from tenuto.batch.worker import WorkerSettings, serve
from tenuto.clock import SYSTEM_CLOCK, Clock

__all__ = ["LocalWorkers"]

_GRACE = 10.0
"""Seconds a worker has to end by itself when there is no more work."""

# A fresh interpreter: a fork would inherit locks that threads of this process hold.
_spawn = multiprocessing.get_context("spawn")


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    notes: Path
    task: Task | None = None
    given_out: float = 0.0


class LocalWorkers:
    """Up to ``places`` worker processes, started as they are needed."""

    def __init__(self, settings: WorkerSettings, places: int, clock: Clock = SYSTEM_CLOCK) -> None:
        self._settings = settings
        self._clock = clock
        self._places = places
        self._idle: deque[_Worker] = deque()
        self._busy: dict[Connection, _Worker] = {}
        self._folder = TemporaryDirectory(prefix="tenuto-", ignore_cleanup_errors=True)
        self._started = 0

    @property
    def places(self) -> int:
        return self._places

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self._dismiss()
        else:
            self.kill()
        self._folder.cleanup()

    def submit(self, task: Task) -> None:
        while True:
            worker = self._idle.popleft() if self._idle else self._start()
            worker.given_out = self._clock.now()
            try:
                worker.pipe.send(task)
            except OSError:  # it died while it had nothing to do
                self._bury(worker)
                continue
            worker.task = task
            self._busy[worker.pipe] = worker
            return

    def wait(self, timeout: float) -> list[Ended]:
        ended: list[Ended] = []
        for pipe in wait(list(self._busy), timeout):
            assert isinstance(pipe, Connection)
            worker = self._busy.pop(pipe)
            task, worker.task = worker.task, None
            assert task is not None
            try:
                ended.append(Answer(task, pipe.recv()))
            except (EOFError, OSError):
                ended.append(self._death(worker, task))
            else:
                self._idle.append(worker)
        return ended

    def kill(self) -> None:
        workers = [*self._idle, *self._busy.values()]
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            self._bury(worker)
        self._idle.clear()
        self._busy.clear()

    def _start(self) -> _Worker:
        ours, theirs = _spawn.Pipe()
        self._started += 1
        notes = Path(self._folder.name) / f"worker-{self._started}.txt"
        process = _spawn.Process(
            target=serve, args=(theirs, self._settings, notes), name=f"tenuto-{self._started}"
        )
        process.start()
        theirs.close()  # or the pipe would not end with the worker
        return _Worker(process, ours, notes)

    def _death(self, worker: _Worker, task: Task) -> Death:
        pid = worker.process.pid or 0
        status = self._bury(worker)
        notes = read_notes(worker.notes)
        return Death(task, worker.given_out, pid, _cause(status, notes), notes.stack)

    @staticmethod
    def _bury(worker: _Worker) -> int | None:
        worker.pipe.close()
        worker.process.join(_GRACE)
        if worker.process.is_alive():  # it closed its pipe, but goes on
            worker.process.kill()
            worker.process.join()
        status = worker.process.exitcode
        worker.process.close()
        return status

    def _dismiss(self) -> None:
        for worker in self._idle:
            worker.pipe.close()
        for worker in (*self._idle, *self._busy.values()):
            self._bury(worker)


def _cause(status: int | None, notes: Notes) -> str:
    if notes.hung:
        return "hung, and was ended"
    if status is not None and status < 0:
        try:
            return f"killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"killed by signal {-status}"
    return f"ended with status {status}"
