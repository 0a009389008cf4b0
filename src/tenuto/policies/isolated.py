"""What happens inside a process that makes one isolated call after the other.

Everything goes through a pipe between a process and its own parent, and nowhere else; that is why
it may be pickled.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import pairwise
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

from tenuto.context import scope
from tenuto.errors import FaultClass, TenutoError, classify
from tenuto.errors.hierarchy import LOCAL_PREFIX

from .deadline import deadline
from .engine.outcome import Outcome

__all__ = ["BEGUN", "Named", "Task", "can_be_pickled", "perform", "serve", "unpack"]

BEGUN = b"begun"
"""Sent when everything is imported and unpacked, and the function is about to be called."""

_MOST_LINKS = 8  # of a chain of causes
_LONGEST_TRACE = 4000  # characters
_ORPHANED = 1  # exit status


class Named(NamedTuple):
    """A function by where it is found, and by how many decorators lie around it there."""

    module: str
    qualname: str
    depth: int

    def find(self) -> Callable[..., Any]:
        """The function, once its module is imported."""
        found: Any = importlib.import_module(self.module)
        for part in self.qualname.split("."):
            found = getattr(found, part)
        for _ in range(self.depth):
            found = found.__wrapped__
        return found  # type: ignore[no-any-return]


class Task(NamedTuple):
    """One call."""

    function: Named | Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    context: Mapping[str, Any]
    limit: float
    """Seconds it may take: waits inside keep to them."""


class _Link(NamedTuple):
    """An error, and what the next one of the chain is to it."""

    error: BaseException
    state: Mapping[str, Any]
    """What was attached to the error: not every class pickles that."""
    caused: bool
    suppressed: bool


def serve(pipe: Connection) -> None:
    """Make the calls that arrive through ``pipe`` until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the caller, who ends this process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with pipe, suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(perform(pipe.recv_bytes(), lambda: pipe.send_bytes(BEGUN)))


def perform(payload: bytes, begin: Callable[[], object]) -> bytes:
    """Make the call that ``payload`` holds; how it ended, packed."""
    try:
        task: Task = pickle.loads(payload)  # noqa: S301  # from our own parent
        function = task.function.find() if isinstance(task.function, Named) else task.function
        begin()
        with scope(**task.context), deadline(task.limit):
            value = function(*task.args, **task.kwargs)
        return pickle.dumps((value, ()))
    except BaseException as error:  # the caller's: it is raised there
        _show_trace(error)
        return pickle.dumps((None, _chain(error)))


def unpack(answer: bytes) -> Outcome:
    """How the call ended, from what ``perform`` returned."""
    value, links = pickle.loads(answer)  # noqa: S301  # from our own child
    if not links:
        return Outcome(value)
    for link in links:
        for name, value in link.state.items():
            vars(link.error).setdefault(name, value)
    for link, origin in pairwise(links):
        if link.caused:
            link.error.__cause__ = origin.error
        else:
            link.error.__context__ = origin.error
        link.error.__suppress_context__ = link.suppressed
    return Outcome(error=links[0].error)


def _chain(error: BaseException) -> list[_Link]:
    """``error`` and what it comes from, fit for pickling, which by itself forgets that."""
    links: list[_Link] = []
    current: BaseException | None = error
    while current is not None and len(links) < _MOST_LINKS:
        cause = current.__cause__
        state = _own_state(current)
        error = _portable(current)
        links.append(_Link(error, state, cause is not None, current.__suppress_context__))
        current = current.__context__ if cause is None else cause
    return links


def _own_state(error: BaseException) -> dict[str, Any]:
    """What is attached to ``error``, as far as it can be pickled, and is not for this process."""
    attached = vars(error)
    for name in [name for name in attached if name.startswith(LOCAL_PREFIX)]:
        del attached[name]
    return {name: value for name, value in attached.items() if can_be_pickled(value)}


def can_be_pickled(value: Any) -> bool:
    """Whether another process can be given ``value``."""
    try:
        pickle.dumps(value)
    except Exception:  # pickling runs the value's own code
        return False
    return True


def _portable(error: BaseException) -> BaseException:
    """``error``, or a stand-in of the same fault class where it would not survive the journey."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # our own
    except Exception:  # its own code runs on the way
        return _stand_in(error)
    return error


def _stand_in(error: BaseException) -> TenutoError:
    kind = type(error).__qualname__
    try:
        text = f"{kind}: {error}"
    except Exception:  # an error may fail to describe itself
        text = kind
    stand_in = TenutoError(text, error_type=kind)
    fault = classify(error)
    if fault is classify(error, FaultClass.INFRASTRUCTURE):  # else nobody knows
        stand_in.fault_class = fault  # type: ignore[misc]  # of this one only
    return stand_in


def _show_trace(error: BaseException) -> None:
    """Note where ``error`` was raised: its traceback stays behind in this process."""
    frames = traceback.format_tb(error.__traceback__)[1:]  # the first is ``perform``'s own
    with suppress(Exception):  # an error that refuses notes goes without
        if frames:
            trace = "".join(frames)[-_LONGEST_TRACE:].rstrip()
            error.add_note(f"tenuto: raised in a process of its own:\n{trace}")


def _end_with_parent() -> None:
    """A caller that is killed takes its processes along, however busy they are."""
    parent = parent_process()
    assert parent is not None, "a worker is started by another process"
    # Where the kernel knows how, it ends by SIGIO, for which no interpreter has to be free.
    fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(parent.sentinel, fcntl.F_GETFL)
    fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)
    wait([parent.sentinel])
    os._exit(_ORPHANED)
