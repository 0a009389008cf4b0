"""The same work on a Dask cluster: same tasks, same ends, same laws.

The run stays where it was started: its plan, its outcomes and its judgement are there, and only
attempts are given out. A worker of the cluster makes each in a process of its own (``station``).
One that is killed is missed by the scheduler, which gives the attempt to another; a scheduler that
is gone is waited for, and then given the attempts in hand again.
"""

from __future__ import annotations

import json
import logging
import re
import signal
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any, Self

from tenuto.batch.executors import Answer, Death, Ended, Halt, Task
from tenuto.batch.worker import WorkerSettings
from tenuto.capture import new_id
from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import ConfigurationError
from tenuto.journal import Foreign, Journal

from .wire import Undone, from_text, to_text
from .workforce import Workforce

__all__ = ["LOCAL", "ClusterWorkers", "check_address"]

LOCAL = "local"
"""Instead of an address: a cluster on this machine, for as long as the run lasts."""

_CONNECT = 10.0  # seconds, for the first time
_RECONNECT = 2.0  # seconds, for each time after the scheduler was lost
_PATIENCE = 600.0  # seconds without a scheduler, after which the run stops
_FETCH = 10.0  # seconds for an answer to come here, once it is there
_COUNT_EVERY = 5.0  # seconds between two looks at how many workers there are
_GOODBYE = 30.0  # seconds for the workers to end what they did for the run
_TRIES = 4  # times that a worker is given code which it cannot even load
_SECOND_LOOK = 2.0  # seconds between two looks at which attempts nobody is at
_PENDING, _FINISHED, _FAILED = "pending", "finished", "error"  # what Dask calls them

_ADDRESS = re.compile(r"((tcp|tls|ws|wss|ucx)://)?(\[[^\s\[\]]+\]|[^\s/:\[\]]+):(?P<port>\d{1,5})")
_OTHER_CODE = (AttributeError, ImportError, TypeError, ValueError)
"""What comes of machines that have different versions."""


def check_address(address: str) -> None:
    """Raise ConfigurationError unless a scheduler may have this ``address``, or it is LOCAL."""
    found = _ADDRESS.fullmatch(address)
    if address != LOCAL and not (found and 0 < int(found["port"]) < 1 << 16):
        raise ConfigurationError(
            "--cluster",
            f"{address!r} is no address; give tcp://HOST:PORT, tls://HOST:PORT, or {LOCAL}",
        )


@dataclass(frozen=True, slots=True)
class _Given:
    task: Task
    at: float
    """When it was given out, in seconds since 1970 UTC."""


def _dask() -> ModuleType:
    try:
        import dask

        # The run tells what people must know.
        dask.config.set(logging=dict.fromkeys(("distributed", "distributed.client"), "critical"))
        import distributed
    except ImportError as error:
        raise ConfigurationError(
            "--cluster", "it needs Dask: pip install 'tenuto[cluster]'"
        ) from error
    return distributed


class ClusterWorkers:
    """As many attempts at once as the workers of the cluster at ``address`` have threads.

    ``jobs`` are the workers of a cluster of our own, and else the most attempts at once.
    ``landmark`` is a file in the output folder by which a worker tells that it sees the folder.
    What workers keep in journals of their own goes to ``journal``. Raises ConfigurationError
    without the extra, and where there is no scheduler at ``address``, or can be none.
    """

    def __init__(
        self,
        address: str,
        settings: WorkerSettings,
        journal: Journal,
        *,
        landmark: Path,
        jobs: int | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        check_address(address)
        self._dask = _dask()
        from . import station  # it is Dask's workers' side, and needs Dask

        self._station = station
        self._journal = journal
        self._run = new_id(clock)  # another run may keep the same journal
        self._name = journal.identity()
        self._settings = to_text(settings)
        self._landmark = str(landmark)
        self._jobs = jobs
        self._clock = clock
        self._has: dict[str, int] = {}
        self._in_hand: dict[Any, _Given] = {}
        self._ended: SimpleQueue[Any] = SimpleQueue()
        self._lost: deque[Task] = deque()
        self._lost_at: float | None = None
        self._workforce = Workforce(clock)
        self._unattended: set[Any] = set()
        self._looked_at = float("-inf")
        self._counted_at = float("-inf")
        self._own = self._start() if address == LOCAL else None
        self._address = self._own.scheduler_address if self._own else address
        # Dask says of its client only what mypy may not rely on.
        self._client: Any = self._connect()
        if self._own is not None:
            self._client.run(station.ignore_ctrl_c)

    @property
    def places(self) -> int:
        if self._clock.monotonic() - self._counted_at >= _COUNT_EVERY:
            self._count_threads()
        threads = self._workforce.threads
        return threads if self._jobs is None else min(threads, self._jobs)

    def submit(self, task: Task) -> None:
        able = self._workforce.choice()
        if not self._is_connected() or able == []:
            self._lost.append(task)
            return
        try:
            future = self._client.submit(
                self._station.attempt,
                self._run,
                self._name,
                self._settings,
                self._landmark,
                to_text(task),
                json.dumps(self._has),
                pure=False,
                retries=_TRIES - 1,
                workers=able,
                allow_other_workers=able is not None,  # those may be gone by then
            )
        except (OSError, ValueError):  # the scheduler has gone in this very moment
            self._lost.append(task)
            return
        self._in_hand[future] = _Given(task, self._clock.now())
        future.add_done_callback(self._ended.put)

    def wait(self, timeout: float) -> list[Ended]:
        ended: list[Ended] = []
        for future in self._take(timeout):
            given = self._in_hand.pop(future, None)
            if given is None:
                continue
            end = self._end_of(future, given)
            if end is None:
                self._lost.append(given.task)
            else:
                ended.append(end)
        return [*ended, *self._give_out_again()]

    def withdraw(self) -> list[Task]:
        withdrawn, self._lost = list(self._lost), deque()
        if self._clock.monotonic() - self._looked_at < _SECOND_LOOK:
            return withdrawn
        self._looked_at = self._clock.monotonic()
        before, self._unattended = self._unattended, self._find_unattended()
        for future in before & self._unattended:  # and not just between one worker and another
            withdrawn.append(self._in_hand.pop(future).task)
            future.release()
        return withdrawn

    def _find_unattended(self) -> set[Any]:
        """The attempts in hand that are with no worker, and have not ended."""
        if not self._is_connected():
            return set()
        try:
            at_work = {key for keys in self._client.processing().values() for key in keys}
        except (OSError, ValueError):  # the scheduler is going, and then all of them are lost
            return set()
        return {
            each for each in self._in_hand if each.status == _PENDING and each.key not in at_work
        }

    def news(self) -> list[str]:
        return self._workforce.news()

    def _end_of(self, future: Any, given: _Given) -> Ended | None:
        """How the attempt ended; None: whoever could have told is gone."""
        try:
            if future.status == _FAILED:
                return self._judge(given, future.exception())
            if future.status != _FINISHED:
                return None
            text = future.result(_FETCH)
        except (CancelledError, OSError):  # it, or who had the answer, has gone in the meantime
            return None
        try:
            answer, cut_short, news = from_text(text)
        except ValueError as error:
            return self._judge(given, error)
        for each in cut_short:
            self._journal.open_attempt(each)
        self._collect(news)
        if isinstance(answer, Undone):
            useless = self._workforce.spare(answer) if answer.why else None
            return Answer(given.task, Halt(useless)) if useless else None
        self._workforce.went_well()
        ended: Ended = answer
        return ended

    def kill(self) -> None:
        self._in_hand.clear()
        self._leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _start(self) -> Any:
        with _deaf_to_ctrl_c():
            return self._dask.LocalCluster(
                n_workers=self._jobs,  # None: one for each core
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",  # any port: another run may have the usual one
                memory_limit=0,  # the processes that do the work keep to a limit of their own
                silence_logs=logging.CRITICAL,
            )

    def _connect(self) -> Any:
        client = self._dask.Client.__new__(self._dask.Client)
        try:
            client.__init__(self._address, timeout=_CONNECT, set_as_default=False)
        except (OSError, TypeError, ValueError) as error:
            client.status = "closed"  # or it would wait in the end for what it has not begun
            why = f"no Dask scheduler answers at {self._address}; start one, or say local"
            if not isinstance(error, OSError):  # such as for want of a certificate
                why = f"Dask cannot use {self._address}: {error}"
            raise ConfigurationError("--cluster", why) from error
        return client

    def _count_threads(self) -> None:
        self._counted_at = self._clock.monotonic()
        if self._is_connected():
            try:
                self._workforce.known = self._client.nthreads()
            except OSError:
                return  # the scheduler is going; what is in hand will tell

    def _take(self, timeout: float) -> Iterable[Any]:
        """The attempts that are over; waits for the first."""
        try:
            yield self._ended.get(timeout=timeout)
            while True:
                yield self._ended.get_nowait()
        except Empty:
            return

    def _judge(self, given: _Given, error: BaseException | None) -> Ended:
        if isinstance(error, self._dask.scheduler.KilledWorker):
            died = f"each of {error.allowed_failures + 1} cluster workers that had it is gone"
            return Death(given.task, given.at, 0, died)
        reason = f"the cluster's workers cannot do this work: {type(error).__name__}: {error}"
        if isinstance(error, _OTHER_CODE):
            reason = f"{reason}; have the same tenuto on all machines"
        return Answer(given.task, Halt(reason))

    def _give_out_again(self) -> list[Ended]:
        """What was in hand when the scheduler went, as soon as there is one again."""
        if not self._lost:
            return []
        now = self._clock.monotonic()
        if self._lost_at is None:
            self._lost_at = now
        if self._is_back():
            self._lost_at = None
            again, self._lost = self._lost, deque()
            for task in again:
                self.submit(task)
        elif now - self._lost_at >= _PATIENCE:
            halt = Halt(f"the scheduler at {self._address} is gone; go on when it is back")
            gone, self._lost = self._lost, deque()
            return [Answer(task, halt) for task in gone]
        return []

    def _is_back(self) -> bool:
        if self._client.status == "closed":
            try:
                self._client = self._dask.Client(
                    self._address, timeout=_RECONNECT, set_as_default=False
                )
            except OSError:
                return False
        return self._is_connected()

    def _is_connected(self) -> bool:
        return bool(self._client.status == "running")

    def _collect(self, news: Iterable[Foreign]) -> None:
        records = list(news)
        if records:
            with suppress(OSError, sqlite3.Error):  # they are sent again until we say we have them
                self._journal.collect(records)
                self._has[records[-1].journal] = records[-1].position

    def _leave(self) -> None:
        """Have the workers end what they do for this run, and tell the last of it."""
        try:
            if self._is_connected():
                last = self._client.run(
                    self._station.leave, self._run, json.dumps(self._has), on_error="ignore"
                )
                for news in last.values():
                    self._collect(from_text(news))
        except OSError:
            pass  # their journals keep it, for the next run
        finally:
            self._client.close(timeout=_GOODBYE)
            if self._own is not None:
                self._own.close()


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that are started from here, or by threads that are, do not get SIGINT.

    It goes to all the processes of a terminal, and the run decides what it ends.
    """
    resource_tracker.ensure_running()  # which would let the signal in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
