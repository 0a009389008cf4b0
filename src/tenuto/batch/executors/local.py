"""Worker processes on this machine, one for each place, each with a pipe of its own.

Nothing is shared between them, so that one that dies, however it dies, takes down only what it was
doing: no lock that it held, no queue that it was writing to. The end of its pipe tells of its death
at once, whatever its exit status. A new one is started when the place is next needed.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from tenuto.audio.output import discard_drafts
from tenuto.batch.executors import Answer, Death, Ended, Halt, Manner, Task
from tenuto.batch.memory import Machine, resident
from tenuto.batch.watchdog import Notes, read_notes
from tenuto.batch.worker import WorkerSettings, serve
from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import FaultClass
from tenuto.journal import Outcome, OutcomeStatus

from .descriptors import allow_many, check_spare

__all__ = ["LocalWorkers", "Recycling"]

_GRACE = 10.0
"""Seconds a worker has to end by itself when there is no more work."""

_LOOK = 0.2
"""Seconds between two looks at how much memory the workers take."""

_OVERRUN = 1.1
"""Times its limit that a worker may have in memory before it is ended. What the limit covers never
gets so far; memory that processes share is not covered."""

_MAKE_DO = 60.0
"""Seconds with fewer workers before it is tried again to start another."""

# A fresh interpreter: a fork would inherit locks that threads of this process hold.
_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Recycling:
    """When a worker gives way to a fresh one between two recordings, so that no leak matters.

    After ``recordings`` of them, when it has run short of memory, and where what it keeps although
    it has nothing to do has grown by more than ``growth`` of its share: engines and models are
    there to stay, from the first recording that is done. To start one takes about a second.
    """

    recordings: int = 1_000
    growth: float = 0.25


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    notes: Path
    task: Task | None = None
    given_out: float = 0.0
    content: str = ""
    recordings: int = 0
    at_rest: int | None = None
    """Bytes that it took when it had done its first recording; None: it has done none."""
    kills_before: int = 0
    """How many processes the system had killed for want of memory when the task was given out."""
    starved: bool = False
    """Whether it was ended from here, because it took too much memory."""
    retired_at: float = 0.0


class LocalWorkers:
    """Up to ``places`` worker processes, started as they are needed."""

    def __init__(
        self,
        settings: WorkerSettings,
        places: int,
        *,
        recycling: Recycling | None = None,
        machine: Machine | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        allow_many()
        self._settings = settings
        self._clock = clock
        self._places = places
        self._recycling = recycling or Recycling()
        self._machine = machine or Machine()
        self._idle: deque[_Worker] = deque()
        self._busy: dict[Connection, _Worker] = {}
        self._retired: list[_Worker] = []
        self._held: deque[Task] = deque()
        """Begun when no worker could be started for it."""
        self._makes_do_with = places
        self._makes_do_until = 0.0
        self._news: list[str] = []
        self._folder = TemporaryDirectory(prefix="tenuto-", ignore_cleanup_errors=True)
        self._started = 0
        self._look_at = 0.0

    @property
    def places(self) -> int:
        makes_do = self._clock.monotonic() < self._makes_do_until
        return self._makes_do_with if makes_do else self._places

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self._dismiss()
        else:
            self.kill()
        self._folder.cleanup()

    def submit(self, task: Task) -> None:
        try:
            self._give(task)
        except OSError as error:
            if not self._busy:  # nobody is going to have time for it
                raise
            self._held.append(task)
            self._make_do(error)

    def _give(self, task: Task) -> None:
        while True:
            worker = self._idle.popleft() if self._idle else self._start()
            worker.given_out = self._clock.now()
            worker.kills_before = self._machine.kills()
            try:
                worker.pipe.send(task)
            except OSError:  # it died while it had nothing to do
                self._bury(worker)
                continue
            worker.task, worker.content = task, ""
            self._busy[worker.pipe] = worker
            return

    def wait(self, timeout: float) -> list[Ended]:
        ended: list[Ended] = []
        for pipe in wait(list(self._busy), timeout):
            assert isinstance(pipe, Connection)
            worker = self._busy[pipe]
            task = worker.task
            assert task is not None
            try:
                message = pipe.recv()
            except (EOFError, OSError):
                del self._busy[pipe]
                ended.append(self._death(worker, task))
                continue
            if isinstance(message, str):
                worker.content = message
                continue
            del self._busy[pipe]
            worker.task = None
            worker.recordings += 1
            ended.append(message)
            spent = self._is_spent(worker, message)
            self._retire(worker) if spent else self._idle.append(worker)
        now = self._clock.monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK
            self._watch()
        self._bury_retired(now)
        return [*ended, *self._give_held()]

    def withdraw(self) -> list[Task]:
        held, self._held = self._held, deque()
        return list(held)

    def news(self) -> list[str]:
        news, self._news = self._news, []
        return news

    def kill(self) -> None:
        workers = [*self._idle, *self._busy.values(), *self._retired]
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            self._bury(worker)
        self._idle.clear()
        self._busy.clear()
        self._retired.clear()
        self._held.clear()

    def _make_do(self, error: OSError) -> None:
        """Go on with the workers there are, for a while."""
        number = self._makes_do_with = len(self._busy)
        if not self._makes_do_until:
            why = error.strerror or error
            self._news.append(f"No more than {number} workers can be started: {why}.")
        self._makes_do_until = self._clock.monotonic() + _MAKE_DO

    def _give_held(self) -> Iterator[Ended]:
        """Whoever has time takes what there was no worker for."""
        while self._held and (self._idle or not self._busy):
            task = self._held.popleft()
            try:
                self.submit(task)
            except OSError as error:
                why = error.strerror or error
                yield Answer(task, Halt(f"no worker process can be started: {why}"))

    def _start(self) -> _Worker:
        if self._busy:
            check_spare()
        ours, theirs = _spawn.Pipe()
        self._started += 1
        notes = Path(self._folder.name) / f"worker-{self._started}.txt"
        process = _spawn.Process(
            target=serve, args=(theirs, self._settings, notes), name=f"tenuto-{self._started}"
        )
        try:
            process.start()
        except BaseException:  # an interruption too
            ours.close()
            raise
        finally:
            theirs.close()  # or the pipe would not end with the worker
        return _Worker(process, ours, notes)

    def _watch(self) -> None:
        """End the workers that have taken much more memory than they may."""
        for worker in self._busy.values():
            assert worker.task is not None
            limit = self._settings.memory_for(worker.task.shares)
            taken = None if limit is None else resident(worker.process.pid or 0)
            if limit is not None and taken is not None and taken > limit * _OVERRUN:
                worker.starved = True
                worker.process.kill()

    def _is_spent(self, worker: _Worker, answer: Answer) -> bool:
        short = any(trouble.fault is FaultClass.RESOURCE for trouble in answer.troubles)
        if short or worker.recordings >= self._recycling.recordings:
            return True
        limit = self._settings.memory_limit
        taken = None if limit is None else resident(worker.process.pid or 0)
        if limit is None or taken is None:
            return False
        if worker.at_rest is None:
            worker.at_rest = taken if _has_been_through(answer) else None
            return False
        return taken - worker.at_rest > limit * self._recycling.growth

    def _retire(self, worker: _Worker) -> None:
        worker.pipe.close()
        worker.retired_at = self._clock.monotonic()
        self._retired.append(worker)

    def _bury_retired(self, now: float) -> None:
        """Without waiting for those that have not ended yet, unless they take too long."""
        late = now - _GRACE
        for worker in list(self._retired):
            if worker.retired_at < late:
                worker.process.kill()
            if worker.retired_at < late or not worker.process.is_alive():
                self._retired.remove(worker)
                self._bury(worker)

    def _death(self, worker: _Worker, task: Task) -> Death:
        pid = worker.process.pid or 0
        status = self._bury(worker)
        notes = read_notes(worker.notes)
        by_the_system = self._machine.kills() > worker.kills_before
        manner, cause = _manner(status, notes, ended_here=worker.starved, short=by_the_system)
        return Death(
            task,
            worker.given_out,
            pid,
            cause,
            stack=notes.stack,
            words=notes.words,
            manner=manner,
            content=worker.content or task.content,
        )

    @staticmethod
    def _bury(worker: _Worker) -> int | None:
        """Wait until it has ended, and remove what it was writing; its exit status."""
        pid = worker.process.pid
        worker.pipe.close()
        worker.process.join(_GRACE)
        if worker.process.is_alive():  # it closed its pipe, but goes on
            worker.process.kill()
            worker.process.join()
        status = worker.process.exitcode
        worker.process.close()
        if worker.task is not None and pid is not None:
            discard_drafts(Path(worker.task.item.output).parent, pid)
        return status

    def _dismiss(self) -> None:
        for worker in self._idle:
            worker.pipe.close()
        for worker in (*self._idle, *self._busy.values(), *self._retired):
            self._bury(worker)


def _has_been_through(answer: Answer) -> bool:
    """Whether the tiers were tried, so that what they take has been loaded."""
    result = answer.result
    return isinstance(result, Outcome) and result.status is not OutcomeStatus.QUARANTINED


def _manner(
    status: int | None, notes: Notes, *, ended_here: bool, short: bool
) -> tuple[Manner, str]:
    """How a process with this exit status died, and the same for people."""
    if notes.hung:
        return Manner.HUNG, "hung, and was ended"
    if ended_here:
        return Manner.STARVED, "out of memory: it took more than its share, and was ended"
    cause = _in_words(status)
    if status is not None and status > 0 and notes.words:  # Python's last word is the exception
        cause = f"{cause}: {notes.words}"
    if notes.starved:
        return Manner.STARVED, f"out of memory: {cause}"
    if status != -signal.SIGKILL:
        # A SIGTERM comes from outside too. Nothing else that ends a process does as a rule.
        return (Manner.KILLED if status == -signal.SIGTERM else Manner.CRASHED), cause
    if short:
        return Manner.STARVED, "out of memory: killed by the system"
    return Manner.KILLED, cause


def _in_words(status: int | None) -> str:
    if status is not None and status < 0:
        try:
            return f"killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"killed by signal {-status}"
    return f"ended with status {status}"
