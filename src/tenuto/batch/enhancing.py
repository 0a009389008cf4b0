"""``enhance_all``: recordings in, enhanced recordings and ``outcomes.jsonl`` out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from tenuto.clock import SYSTEM_CLOCK
from tenuto.errors import ConfigurationError
from tenuto.journal import Journal, Outcome, open_journal
from tenuto.reporting import ErrorReporter

from .budget import ErrorBudget
from .claim import CLAIM_NAME, Claim, claim, was_cut_short
from .executors import Executor
from .executors.cluster import LOCAL, ClusterWorkers, check_address
from .executors.local import LocalWorkers
from .formats import output_suffixes, suffix_of
from .interruption import Interruption, interruptible
from .judging.inquest import Inquest
from .judging.poison import Poison
from .ledger.ledger import FOLDER_NAME, LEDGER_NAME, Ledger
from .ledger.lines import OUTCOMES_NAME
from .ledger.parameters import parameters_of
from .memory import LEAST_LIMIT, Machine, share_out
from .plan import Item, Plan
from .planning import Planner
from .replay import Replay
from .room import Room
from .run import Run, Watcher
from .sources.inputs import BadRow, Input, Search
from .sources.manifest import read_manifest
from .summary import Summary
from .watchdog import Patience
from .work import Work, any_input_below, check_outputs
from .worker import WorkerSettings

if TYPE_CHECKING:  # heavy, and the worker processes set their threads before they import it
    from tenuto.audio.enhance import MeterName

__all__ = ["Batch"]

Paths = Sequence[str | os.PathLike[str]]
Names = Iterable[Input | BadRow]

_OURS = {OUTCOMES_NAME, CLAIM_NAME, FOLDER_NAME}
"""What is in an output folder without any output."""

_RESERVED = (*_OURS, LEDGER_NAME, *(f"{LEDGER_NAME}-{part}" for part in ("wal", "shm", "journal")))

_SECONDS_BETWEEN_WORDS = 10.0


class Silent:
    """A watcher that says nothing."""

    def began(self, plan: Plan, summary: Summary) -> None: ...

    def ended(self, outcome: Outcome, summary: Summary) -> None: ...

    def noted(self, text: str) -> None: ...

    def ticked(self, summary: Summary) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """How to enhance many recordings.

    ``format`` is what to write (``"flac"``), by default each output in the format of its input.
    ``jobs`` is how many to work on at once, by default as many as there are cores. ``overwrite``
    does again what is finished, ``replay`` what is in quarantine. ``reserve`` is how many bytes
    are to stay free on the disk of the output folder, by default 1 GB, or a twentieth of a small
    one: while there are fewer, the run waits. ``memory_limit`` is how much memory each worker may
    have, in bytes; by default they share what is free, and there are fewer where that is little.
    ``budget`` is how many may end worse than enhanced: a run that cannot be expected to keep to it
    is stopped. ``cluster`` is the address of a Dask scheduler that gives the work out; ``local``: a
    cluster of our own does.
    ``journal`` is where errors go, by default the user's own journal.
    The rest is as in ``Enhancer``.
    """

    ladder: tuple[str, ...] = ("high_quality", "medium_quality", "basic")
    min_quality: float | None = None
    meter: MeterName = "dnsmos"
    format: str | None = None
    jobs: int | None = None
    overwrite: bool = False
    replay: Replay | None = None
    reserve: int | None = None
    budget: ErrorBudget | None = None
    cluster: str | None = None
    journal: str | os.PathLike[str] | None = None
    patience: Patience = field(default_factory=Patience)
    memory_limit: int | None = None

    @contextmanager
    def plan(
        self,
        paths: Paths,
        output: str | os.PathLike[str],
        *,
        manifests: Paths = (),
        names: Names = (),
    ) -> Iterator[tuple[Plan, Iterable[Item]]]:
        """What ``run`` would do, in numbers and one by one. Changes nothing.

        Raises ConfigurationError where ``run`` would before its work begins.
        """
        self._check()
        folder = _absolute(output)
        with Ledger.for_rehearsal(folder) as ledger:
            found = self._find(ledger, paths, manifests, names)
            plan = self._plan(ledger, found, lambda _: True)
            self._check_outputs(ledger, cut_short=was_cut_short(Path(folder)))
            yield plan, Work(ledger)

    def run(
        self,
        paths: Paths,
        output: str | os.PathLike[str],
        watcher: Watcher | None = None,
        *,
        manifests: Paths = (),
        names: Names = (),
    ) -> Summary:
        """Enhance ``paths`` (files, folders, patterns) into the folder ``output``.

        ``manifests`` are files that list recordings, ``names`` further ones, see ``read_list``.
        Afterwards ``outcomes.jsonl`` in the folder has a line for each input. What is finished is
        not done again, so a run that was stopped is continued by running it again. Ctrl-C stops
        it in order, a second one at once (KeyboardInterrupt). What else stops a run, such as an
        engine that is not installed, is in the summary. Worker processes are spawned: a script
        that calls this needs the usual ``if __name__ == "__main__":``.

        Raises ConfigurationError for what is found to be wrong before the work begins.
        """
        self._check()
        watcher = watcher or Silent()
        folder = _absolute(output)
        with (
            claim(Path(folder), makes=(FOLDER_NAME, OUTCOMES_NAME)) as claimed,
            Ledger.for_run(folder) as ledger,
            open_journal(self.journal) as journal,
            interruptible() as interruption,
        ):
            found = self._find(ledger, paths, manifests, names)
            plan = self._plan(ledger, found, _looking(watcher, interruption))
            self._check_outputs(ledger, cut_short=claimed.cut_short)
            shares = share_out(Machine().free(), self.jobs or _cores(), self.memory_limit)
            settings = WorkerSettings(
                ladder=self.ladder,
                min_quality=self.min_quality,
                meter=self.meter,
                container=self.format,
                journal=str(journal.path),
                patience=self.patience,
                memory_limit=shares.limit,
                memory_most=shares.most,
            )
            reporter = ErrorReporter("tenuto", journal=journal, log=False)
            poison = Poison(journal, amnesty=self.replay is not None)
            with self._executor(settings, shares.places, journal, claimed) as executor:
                run = Run(
                    plan,
                    executor=executor,
                    ledger=ledger,
                    claim=claimed,
                    room=Room(folder, self.reserve),
                    inquest=Inquest(self.ladder, reporter, poison),
                    interruption=interruption,
                    watcher=watcher,
                    budget=self.budget,
                )
                claimed.begin()
                summary = run.go()
            if run.is_in_order:
                claimed.release()
            return summary

    def _executor(
        self, settings: WorkerSettings, places: int, journal: Journal, claimed: Claim
    ) -> Executor:
        if self.cluster is None:
            return LocalWorkers(settings, places)
        if self.cluster == LOCAL:
            return ClusterWorkers(LOCAL, settings, journal, landmark=claimed.mark, jobs=places)
        # Other machines have other memories, and other journals.
        theirs = replace(
            settings, journal=None, memory_limit=self.memory_limit, memory_most=self.memory_limit
        )
        return ClusterWorkers(self.cluster, theirs, journal, landmark=claimed.mark, jobs=self.jobs)

    def _check(self) -> None:
        """Find out now what would otherwise stop the run at its first recording."""
        from tenuto.audio.engines import engine_for
        from tenuto.audio.quality import Gate

        if self.jobs is not None and self.jobs < 1:
            raise ConfigurationError("jobs", "give 1 or more")
        if self.memory_limit is not None and self.memory_limit < LEAST_LIMIT:
            raise ConfigurationError("memory_limit", "give 256 MB or more")
        if self.cluster is not None:
            check_address(self.cluster)
        if not self.ladder:
            raise ConfigurationError("the ladder", "give at least one tier")
        for tier in self.ladder:
            engine_for(tier, rate=48_000)
        Gate(self.min_quality, meter=self.meter)

    def _check_outputs(self, ledger: Ledger, *, cut_short: bool) -> None:
        """Raise ConfigurationError if something would be replaced that must not be."""
        if _has_outputs(ledger.folder) or any_input_below(ledger):
            check_outputs(ledger, strangers=not self.overwrite and not cut_short)

    def _find(
        self, ledger: Ledger, paths: Paths, manifests: Paths, names: Names
    ) -> tuple[Search, Iterable[Input | BadRow]]:
        for path in paths:
            _absolute(path)
            if os.path.isdir(path) and os.path.realpath(path) == os.path.realpath(ledger.folder):  # noqa: PTH112
                raise ConfigurationError(
                    "the output folder", "it is an input folder; name another one"
                )
        search = Search(output_suffixes(), ledger.is_new_folder, ledger.folder)
        listed = (read_manifest(manifest, ledger.folder) for manifest in manifests)
        return search, chain(search.find(paths), *listed, names)

    def _plan(
        self,
        ledger: Ledger,
        found: tuple[Search, Iterable[Input | BadRow]],
        go_on: Callable[[int], bool],
    ) -> Plan:
        parameters = parameters_of(self.ladder, self.min_quality, self.meter, self.format)
        search, inputs = found
        plan = Planner(
            ledger,
            suffixes=output_suffixes(),
            suffix=None if self.format is None else suffix_of(self.format),
            reserved=_RESERVED,
            parameters=ledger.work_with(parameters),
            overwrite=self.overwrite,
            replay=self.replay,
        ).plan(inputs, go_on)
        plan.ignored += search.ignored
        if plan.complete and not plan.inputs and not plan.bad_rows:
            others = f", only {plan.ignored:,} other files" if plan.ignored else ""
            raise ConfigurationError("the input", f"it holds no recordings{others}")
        return plan


def _absolute(path: str | os.PathLike[str]) -> str:
    """``path`` with its name as it is, links and all. Raises ConfigurationError for an empty one.

    That is what a variable which was never set comes to, and not the current folder.
    """
    if not os.fspath(path):
        raise ConfigurationError("a path", "it is empty; name a file or a folder, . for this one")
    return os.path.abspath(path)  # noqa: PTH100 - as it is


def _has_outputs(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:  # there may be millions
            return not all(entry.name in _OURS for entry in entries)
    except FileNotFoundError:
        return False


def _looking(watcher: Watcher, interruption: Interruption) -> Callable[[int], bool]:
    """Tells people now and then how far the search for inputs is, and whether to go on with it."""
    told = SYSTEM_CLOCK.monotonic()

    def go_on(number: int) -> bool:
        nonlocal told
        now = SYSTEM_CLOCK.monotonic()
        if now - told >= _SECONDS_BETWEEN_WORDS:
            told = now
            watcher.noted(f"{number:,} recordings found so far")
        return interruption.signal is None

    return go_on


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
