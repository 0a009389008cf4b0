"""A thread that takes one step after the other, until it is told to end."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Protocol

from tenuto.clock import Clock

from .bell import Bell
from .contract import After

__all__ = ["Worker", "do", "look_after"]

_AFTER_TROUBLE = 1.0  # seconds


class Worker(Protocol):
    """What a thread does."""

    due: Bell
    """Set where there is something to do before the pause is over."""
    failed: int
    """Steps that ended with an error: bugs of ours."""

    def step(self) -> float:
        """Do what there is to do; the seconds to pause then."""
        ...

    def end(self) -> None:
        """The last step."""
        ...


def look_after(worker: Worker, stopping: threading.Event, clock: Clock) -> None:
    """Keep ``worker`` going until ``stopping`` is set."""
    while True:
        worker.due.clear()
        if stopping.is_set():  # in this order: who sets it sets ``due`` after it
            break
        clock.wait(worker.due, _step(worker))
    worker.end()


def _step(worker: Worker) -> float:
    try:
        return worker.step()
    except Exception:  # a bug of ours must not silence the process for good
        worker.failed += 1
        return _AFTER_TROUBLE


def do(after: After | None) -> None:
    """Call a listener, which may do anything: whoever calls it goes on."""
    if after is not None:
        # Its errors are counted where it is called; this is for one that exits.
        with suppress(BaseException):
            after()
