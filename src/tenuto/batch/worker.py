"""What runs in a worker process: one recording after the other, until the pipe ends.

Only what is light is imported at the top: the number of threads that numerical libraries start is
settled before they are loaded.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tenuto.audio.faults import ShortageError, in_words
from tenuto.audio.output import discard_drafts
from tenuto.batch.content import content_of
from tenuto.batch.executors import Answer, Halt, Recognised, Short, Task, Trouble, Unchanged
from tenuto.batch.memory import be_first_to_go, keep_to
from tenuto.batch.watchdog import Patience, Watchdog
from tenuto.capture import ErrorEvent
from tenuto.errors import ConfigurationError, ResourceLimitError
from tenuto.journal import Journal, Outcome, open_journal
from tenuto.reporting import ErrorReporter

if TYPE_CHECKING:
    from tenuto.audio.enhance import Enhancer, MeterName

__all__ = ["WorkerSettings", "serve"]

_ORPHANED = 3
"""Exit status of a worker whose run has died."""

_FIGURES = re.compile(r"\d[\d,.]*")
"""What differs between two recordings with the same fault."""

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
    memory_limit: int | None = None
    """Bytes of private memory for each worker; None: no limit."""
    memory_most: int | None = None
    """Bytes for one that has more than its own share."""

    def memory_for(self, shares: int) -> int | None:
        """Bytes for a task that may have so many shares; None: no limit."""
        if self.memory_limit is None:
            return None
        most = self.memory_limit if self.memory_most is None else self.memory_most
        return max(self.memory_limit, min(self.memory_limit * shares, most))


def serve(pipe: Connection, settings: WorkerSettings, notes: Path) -> None:
    """Answer each task that comes out of ``pipe``; say first which bytes it is about."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run decides what Ctrl-C ends
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    be_first_to_go()
    at_work: list[Task] = []
    threading.Thread(target=_end_with_parent, args=(at_work,), daemon=True).start()
    watchdog = Watchdog(notes, settings.patience)
    with pipe, open_journal(settings.journal) as journal:
        work = _Work(settings, journal, watchdog, pipe.send)
        while True:
            try:
                task: Task = pipe.recv()
            except EOFError:
                break
            at_work[:] = [task]
            pipe.send(work.on(task))
            watchdog.rest()


class _Work:
    """What a worker does, with what it keeps from one recording to the next."""

    def __init__(
        self,
        settings: WorkerSettings,
        journal: Journal,
        watchdog: Watchdog,
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._watchdog = watchdog
        self._say = say
        # The run tells people; a second voice would talk over its progress.
        self._reporter = _Noting("tenuto", journal=journal, log=False)
        self._enhancer: Enhancer | None = None

    def on(self, task: Task) -> Answer:
        limit = self._settings.memory_for(task.shares)
        if limit is not None:
            keep_to(limit)
        self._reporter.troubles.clear()
        content = ""
        try:
            if self._enhancer is None:
                self._watchdog.watch_start()
                self._enhancer = self._make_enhancer(self._reporter)
            self._watchdog.watch(0.0)  # a file may be waited for before the first step
            if task.trial:
                return self._try_out(task)
            content = content_of(task.item.input, lambda: self._watchdog.watch(0.0))
            if content and content == task.item.content:
                return Answer(task, Unchanged(), content=content)
            if content and content != task.content and content in task.deadly:
                return Answer(task, Recognised(), content=content)
            self._say(content)
            try:
                result: Outcome | Short = self._enhancer.enhance(
                    task.item.input, task.item.output, task.setbacks, make_do=task.make_do
                )
            except ShortageError as error:
                result = Short(tuple(error.details["errors"]))
            return Answer(task, result, tuple(self._reporter.troubles.values()), content)
        except (ConfigurationError, ResourceLimitError) as error:
            return Answer(task, Halt(str(error)))
        except ImportError as error:
            return Answer(task, Halt(f"{error}: pip install 'tenuto[audio]'"))

    def _make_enhancer(self, reporter: ErrorReporter) -> Enhancer:
        from tenuto.audio.enhance import Enhancer

        settings = self._settings
        return Enhancer(
            ladder=settings.ladder,
            min_quality=settings.min_quality,
            meter=settings.meter,
            container=settings.container,
            reporter=reporter,
            on_step=self._watchdog.watch,
            on_load=self._watchdog.watch_start,
        )

    def _try_out(self, task: Task) -> Answer:
        """How ``task`` would end; leaves nothing behind, in the output folder or in the journal."""
        with (
            TemporaryDirectory(prefix="tenuto-") as folder,
            open_journal(folder) as journal,
            # It looks after the journal in the background, which would open it again.
            closing(_Noting("tenuto", journal=journal, log=False)) as reporter,
        ):
            enhancer = self._make_enhancer(reporter)
            try:
                outcome = enhancer.enhance(task.item.input, task.item.output, task.setbacks)
                return Answer(task, outcome, tuple(reporter.troubles.values()))
            finally:
                Path(task.item.output).unlink(missing_ok=True)


class _Noting(ErrorReporter):
    """Remembers at which step each error came up, and how."""

    troubles: dict[str, Trouble]
    """By event id, of the recording in hand."""

    def __init__(self, service: str, *, journal: Journal, log: bool) -> None:
        super().__init__(service, journal=journal, log=log)
        self.troubles = {}

    def report(
        self, error: BaseException, context: Mapping[str, object] | None = None
    ) -> ErrorEvent:
        event = super().report(error, context)
        step = (context or {}).get("step")
        if isinstance(step, str):
            how = f"{event.fingerprint} {_FIGURES.sub('0', in_words(error))}"
            self.troubles.setdefault(event.id, Trouble(step, how, event.fault_class))
        return event


def _end_with_parent(at_work: Sequence[Task]) -> None:
    """A run that is killed takes its workers along: the next run may begin at once.

    Of a cluster the run may go on, and would not know of the draft.
    """
    parent = parent_process()
    assert parent is not None, "a worker is started by a run"
    wait([parent.sentinel])
    for task in at_work:
        discard_drafts(Path(task.item.output).parent, os.getpid())
    os._exit(_ORPHANED)
