"""``enhance_all``: recordings in, enhanced recordings and ``outcomes.jsonl`` out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tenuto.audio.names import path_text
from tenuto.errors import ConfigurationError
from tenuto.journal import Outcome, open_journal
from tenuto.reporting import ErrorReporter

from .claim import CLAIM_NAME, claim
from .executors.local import LocalWorkers
from .formats import output_suffixes, suffix_of
from .inquest import Inquest
from .interruption import interruptible
from .ledger import LEDGER_NAME, Ledger
from .plan import Plan, make_plan
from .run import Run, Watcher
from .summary import Summary
from .watchdog import Patience
from .worker import WorkerSettings

if TYPE_CHECKING:  # heavy, and the worker processes set their threads before they import it
    from tenuto.audio.enhance import MeterName

__all__ = ["Batch"]

Paths = Sequence[str | os.PathLike[str]]


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
    does again what is finished. ``journal`` is where errors go, by default the user's own journal.
    The rest is as in ``Enhancer``.
    """

    ladder: tuple[str, ...] = ("high_quality", "medium_quality", "basic")
    min_quality: float | None = None
    meter: MeterName = "dnsmos"
    format: str | None = None
    jobs: int | None = None
    overwrite: bool = False
    journal: str | os.PathLike[str] | None = None
    patience: Patience = field(default_factory=Patience)

    def plan(self, paths: Paths, output: str | os.PathLike[str]) -> Plan:
        """What ``run`` would do. Changes nothing."""
        return self._plan(paths, output, Ledger(output))

    def run(
        self, paths: Paths, output: str | os.PathLike[str], watcher: Watcher | None = None
    ) -> Summary:
        """Enhance ``paths`` (files, folders, patterns) into the folder ``output``.

        Afterwards ``outcomes.jsonl`` there has a line for each input. What it says is finished is
        not done again, so a run that was stopped is continued by running it again. Ctrl-C stops
        it in order, a second one at once (KeyboardInterrupt). What else stops a run, such as a full
        disk, is in the summary. Worker processes are spawned: a script that calls this needs the
        usual ``if __name__ == "__main__":``.

        Raises ConfigurationError for what is found to be wrong before the work begins.
        """
        self._check()
        folder = Path(os.path.abspath(output))  # noqa: PTH100 - the name is kept, links and all
        with (
            claim(folder) as claimed,
            Ledger(folder) as ledger,
            open_journal(self.journal) as journal,
            interruptible() as interruption,
        ):
            plan = self._plan(paths, folder, ledger)
            if not self.overwrite and not claimed.cut_short:
                _refuse_strangers(plan, ledger)
            settings = WorkerSettings(
                ladder=self.ladder,
                min_quality=self.min_quality,
                meter=self.meter,
                container=self.format,
                journal=str(journal.path),
                patience=self.patience,
            )
            reporter = ErrorReporter("tenuto", journal=journal, log=False)
            with LocalWorkers(settings, self.jobs or _cores()) as workers:
                run = Run(
                    plan,
                    executor=workers,
                    ledger=ledger,
                    inquest=Inquest(self.ladder, reporter),
                    interruption=interruption,
                    watcher=watcher or Silent(),
                    overwrite=self.overwrite,
                )
                summary = run.go()
            if summary.stopped is None:
                claimed.release()
            return summary

    def _check(self) -> None:
        """Find out now what would otherwise stop the run at its first recording."""
        from tenuto.audio.engines import engine_for
        from tenuto.audio.quality import Gate

        if self.jobs is not None and self.jobs < 1:
            raise ConfigurationError("jobs", "give 1 or more")
        if not self.ladder:
            raise ConfigurationError("the ladder", "give at least one tier")
        for tier in self.ladder:
            engine_for(tier, rate=48_000)
        Gate(self.min_quality, meter=self.meter)

    def _plan(self, paths: Paths, output: str | os.PathLike[str], ledger: Ledger) -> Plan:
        return make_plan(
            paths,
            output,
            suffixes=output_suffixes(),
            suffix=None if self.format is None else suffix_of(self.format),
            earlier=ledger.outputs(),
            reserved=(LEDGER_NAME, CLAIM_NAME),
        )


def _refuse_strangers(plan: Plan, ledger: Ledger) -> None:
    """Raise ConfigurationError if an output would replace a file that no run here has written."""
    strangers = [
        item.output
        for item in plan.items
        if os.path.lexists(item.output) and not ledger.knows(item)
    ]
    if strangers:
        others = f" (and {len(strangers) - 1} others)" if len(strangers) > 1 else ""
        raise ConfigurationError(
            "the output folder",
            f"{path_text(strangers[0])}{others} exists and is not in {LEDGER_NAME}: "
            "name another folder, or overwrite",
        )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
