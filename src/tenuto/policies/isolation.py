"""Calls in processes of their own: what a thread cannot do, stop a call, a process can.

A process makes one call at a time, is kept for the next one, and shares nothing with the others: a
lock or a queue between them could be left locked or half written by one that is killed. Its time is
kept here, by the monotonic clock, and begins with the call itself: neither the start of the process
nor the imports nor the transfer count.
"""

from __future__ import annotations

import atexit
import math
import multiprocessing
import os
import pickle
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Any, NamedTuple

from tenuto.context import current_context
from tenuto.errors import ConfigurationError

from .deadline import time_left
from .engine.outcome import Outcome
from .isolated import BEGUN, Named, Task, can_be_pickled, serve, unpack

__all__ = ["Answer", "Death", "Late", "run_apart"]

_LONGEST_START = 60.0  # seconds for a process to start, and to import what the call needs
_GRACE = 5.0  # seconds for a process to end

# A fresh interpreter: a fork would inherit locks that threads of this process hold.
_spawn = multiprocessing.get_context("spawn")


class Answer(NamedTuple):
    """The call ended."""

    outcome: Outcome


class Death(NamedTuple):
    """The process ended, and with it the call."""

    exitcode: int | None
    begun: bool


class Late(NamedTuple):
    """The call took longer than ``limit`` seconds, and its process was killed."""

    limit: float


def run_apart(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], limit: float
) -> Answer | Death | Late:
    """Call ``function`` in a process of its own, for ``limit`` seconds at most.

    The context of ``tenuto.context.scope`` goes with it, as far as it can be pickled. Raises
    ConfigurationError for a function that another process cannot find, and what pickle raises for
    arguments that cannot be pickled.
    """
    payload = _pack(function, args, kwargs, limit)
    while True:
        worker, is_new = _workers.take()
        ended: Answer | Death | Late | None = None
        try:
            ended = worker.call(payload, limit)
        finally:
            if isinstance(ended, Answer):
                _workers.give_back(worker)
            else:  # late, dead, or its caller was interrupted
                exitcode = _workers.bury(worker)
        if not isinstance(ended, Death):
            return ended
        if ended.begun or is_new:
            return ended._replace(exitcode=exitcode)
        # It had died while it had nothing to do: the call was never made.


class _Worker:
    """One process, and this end of its pipe."""

    def __init__(self) -> None:
        self.pipe, theirs = _spawn.Pipe()
        self.process: SpawnProcess = _spawn.Process(
            target=serve, args=(theirs,), name="tenuto-isolated"
        )
        try:
            self.process.start()
        finally:
            theirs.close()  # or the pipe would not end with the process

    def call(self, payload: bytes, limit: float) -> Answer | Death | Late:
        begun = False
        patience = min(_LONGEST_START, _time_left())
        try:
            self.pipe.send_bytes(payload)
            message = self._receive(patience)
            if message == BEGUN:
                begun, patience = True, min(limit, _time_left())
                message = self._receive(patience)
        except (EOFError, OSError):  # it is gone, perhaps in the middle of a word
            return Death(None, begun)
        return Late(patience) if message is None else Answer(unpack(message))

    def _receive(self, seconds: float) -> bytes | None:
        """The next message; None if there is none within ``seconds``."""
        ready = wait([self.pipe, self.process.sentinel], seconds)
        # Its last words may be in the pipe still when it is dead.
        return self.pipe.recv_bytes() if ready else None


class _Workers:
    """The processes of this one: those that are making a call, and a few that wait for one."""

    def __init__(self) -> None:
        self._most_idle = os.cpu_count() or 1
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()

    def take(self) -> tuple[_Worker, bool]:
        """A process for one call, and whether it is new."""
        with self._lock:
            if self._idle:
                return self._idle.pop(), False
            worker = _Worker()
            self._all.add(worker)
        return worker, True

    def give_back(self, worker: _Worker) -> None:
        with self._lock:
            if len(self._idle) < self._most_idle:
                self._idle.append(worker)
                return
        worker.pipe.close()  # which it takes for the end
        self.bury(worker, _GRACE)

    def bury(self, worker: _Worker, grace: float = 0.0) -> int | None:
        """End ``worker`` after ``grace`` seconds; its exit status, None if that is not known."""
        with self._lock:
            self._all.discard(worker)
        process = worker.process
        process.join(grace)
        process.kill()
        process.join(_GRACE)
        worker.pipe.close()
        exitcode = process.exitcode
        if exitcode is not None:  # else it hangs in the kernel, and may stay there
            process.close()
        return exitcode

    def close(self) -> None:
        """End all processes: those without a call are asked to, the others are killed."""
        with self._lock:
            idle, self._idle = self._idle, []
            busy = self._all.difference(idle)
        for worker in idle:
            worker.pipe.close()
        for worker in busy:
            with suppress(ValueError):  # its caller has buried it meanwhile
                worker.process.kill()
                worker.process.join(_GRACE)
        for worker in idle:
            self.bury(worker, _GRACE)

    def forget(self) -> None:
        """After a fork: they are the parent's, whose pipes must not be held open from here."""
        for worker in self._all:
            worker.pipe.close()
        self._begin()


_workers = _Workers()
atexit.register(_workers.close)
os.register_at_fork(after_in_child=_workers.forget)


def _time_left() -> float:
    left = time_left()
    return math.inf if left is None else max(0.0, left)


def _pack(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], limit: float
) -> bytes:
    try:
        return pickle.dumps(Task(_portable(function), args, kwargs, _portable_context(), limit))
    except Exception as error:  # pickling runs the arguments' own code
        error.add_note("tenuto: the arguments of an isolated call are pickled")
        raise


def _portable(function: Callable[..., Any]) -> Named | Callable[..., Any]:
    """``function`` as another process finds it."""
    named = _named(function)
    if named is None and not can_be_pickled(function):
        raise ConfigurationError(
            "isolate", f"define {function!r} at the top level of a module, where it can be imported"
        )
    return function if named is None else named


def _named(function: Callable[..., Any]) -> Named | None:
    """Where ``function`` is found; under decorators, as pickle does not look for it."""
    module = getattr(function, "__module__", None)
    qualname = getattr(function, "__qualname__", None)
    found: Any = sys.modules.get(module or "")
    for part in (qualname or "").split("."):
        found = getattr(found, part, None)
    depth = 0
    while found is not None and found is not function:
        found, depth = getattr(found, "__wrapped__", None), depth + 1
    return None if found is None else Named(str(module), str(qualname), depth)


def _portable_context() -> dict[str, Any]:
    return {name: value for name, value in current_context().items() if can_be_pickled(value)}
