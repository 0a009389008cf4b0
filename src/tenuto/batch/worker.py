"""What runs in a worker process: one recording after the other, until the pipe ends.

Only what is light is imported at the top: the number of threads that numerical libraries start is
settled before they are loaded.
"""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass, field
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING

from tenuto.batch.executors import Halt, Task
from tenuto.batch.watchdog import Patience, Watchdog
from tenuto.errors import ConfigurationError, ResourceLimitError
from tenuto.journal import Journal, Outcome, open_journal

if TYPE_CHECKING:
    from tenuto.audio.enhance import Enhancer, MeterName

__all__ = ["WorkerSettings", "serve"]

_ORPHANED = 3
"""Exit status of a worker whose run has died."""

_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What every worker of a run needs to know."""

    ladder: tuple[str, ...]
    min_quality: float | None = None
    meter: MeterName = "dnsmos"
    container: str | None = None
    journal: str | None = None
    patience: Patience = field(default_factory=Patience)


def serve(pipe: Connection, settings: WorkerSettings, notes: Path) -> None:
    """Answer each task that comes out of ``pipe``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run decides what Ctrl-C ends
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    _silence_decoders()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    watchdog = Watchdog(notes, settings.patience)
    with pipe, open_journal(settings.journal) as journal:
        work = _Work(settings, journal, watchdog)
        while True:
            try:
                task: Task = pipe.recv()
            except EOFError:
                break
            pipe.send(work.on(task))
            watchdog.rest()


class _Work:
    """What a worker does, with what it keeps from one recording to the next."""

    def __init__(self, settings: WorkerSettings, journal: Journal, watchdog: Watchdog) -> None:
        self._settings = settings
        self._journal = journal
        self._watchdog = watchdog
        self._enhancer: Enhancer | None = None

    def on(self, task: Task) -> Outcome | Halt:
        try:
            if self._enhancer is None:
                self._enhancer = self._make_enhancer()
            return self._enhancer.enhance(task.item.input, task.item.output, task.setbacks)
        except (ConfigurationError, ResourceLimitError) as error:
            return Halt(str(error))
        except ImportError as error:
            return Halt(f"{error}: pip install 'tenuto[audio]'")

    def _make_enhancer(self) -> Enhancer:
        from tenuto.audio.enhance import Enhancer
        from tenuto.reporting import ErrorReporter

        settings = self._settings
        return Enhancer(
            ladder=settings.ladder,
            min_quality=settings.min_quality,
            meter=settings.meter,
            container=settings.container,
            # The run tells people; a second voice would talk over its progress.
            reporter=ErrorReporter("tenuto", journal=self._journal, log=False),
            on_step=self._watchdog.watch,
        )


def _silence_decoders() -> None:
    """Keep what native decoders write to standard error from breaking into the run's progress.

    What they complain of is found, and told, by the decoder's checks.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _end_with_parent() -> None:
    """A run that is killed takes its workers along: the next run may begin at once."""
    parent = parent_process()
    assert parent is not None, "a worker is started by a run"
    wait([parent.sentinel])
    os._exit(_ORPHANED)
