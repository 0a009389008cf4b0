"""One run: every item of a plan gets exactly one outcome, or is left for the next run."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Protocol

from tenuto.audio.output import discard_drafts
from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import ConfigurationError
from tenuto.journal import Outcome

from .executors import Death, Ended, Executor, Halt, Task
from .inquest import Inquest
from .interruption import Interruption
from .ledger import Ledger
from .plan import Plan
from .summary import Summary

__all__ = ["Run", "Watcher"]

_GLANCE = 0.2
"""Seconds between two looks at whether somebody wants the run to stop."""


class Watcher(Protocol):
    """Is told how a run gets on. It may be slow, but then so is the run."""

    def began(self, plan: Plan, summary: Summary) -> None:
        """The work begins."""

    def ended(self, outcome: Outcome, summary: Summary) -> None:
        """A recording has got its outcome, which is counted in ``summary``."""

    def noted(self, text: str) -> None:
        """Something people ought to know."""

    def ticked(self, summary: Summary) -> None:
        """Some time has passed; called a few times a second."""


class Run:
    """Drives a plan through an executor. ``go`` once."""

    def __init__(
        self,
        plan: Plan,
        *,
        executor: Executor,
        ledger: Ledger,
        inquest: Inquest,
        interruption: Interruption,
        watcher: Watcher,
        overwrite: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._plan = plan
        self._executor = executor
        self._ledger = ledger
        self._inquest = inquest
        self._interruption = interruption
        self._watcher = watcher
        self._clock = clock
        self._waiting = deque(
            Task(item) for item in plan.items if overwrite or not ledger.is_finished(item)
        )
        self._in_hand = 0
        self.summary = Summary(
            inputs=len(plan.items),
            finished_earlier=len(plan.items) - len(self._waiting),
            ignored=plan.ignored,
        )

    def go(self) -> Summary:
        """Work until all is done, or something stops it."""
        started = self._clock.monotonic()
        self._watcher.began(self._plan, self.summary)
        while self._begin_more() or self._in_hand:
            for ended in self._executor.wait(_GLANCE):
                self._in_hand -= 1
                self._take(ended)
            self.summary.seconds = self._clock.monotonic() - started
            self._watcher.ticked(self.summary)
        try:
            self._ledger.compact()
        except OSError as error:
            self._stop(f"{self._ledger.path} could not be tidied: {error.strerror}")
        return self.summary

    def _begin_more(self) -> bool:
        """Fill the free places; False if nothing is to be begun any more."""
        if self._interruption.signal is not None and self.summary.interrupted_by is None:
            self.summary.interrupted_by = self._interruption.signal
            self._watcher.noted(
                f"Stopping: {self._in_hand} in hand will be finished. Once more to leave at once."
            )
        if self.summary.interrupted_by is not None or self.summary.stopped is not None:
            return False
        while self._waiting and self._in_hand < self._executor.places:
            self._executor.submit(self._inquest.without_withdrawn(self._waiting.popleft()))
            self._in_hand += 1
        return self._in_hand > 0

    def _take(self, ended: Ended) -> None:
        if isinstance(ended, Death):
            self._take_death(ended)
        elif isinstance(ended.result, Halt):
            self._stop(ended.result.reason)
        else:
            self._inquest.note_survival(ended.task, ended.result)
            self._settle(ended.result)

    def _take_death(self, death: Death) -> None:
        discard_drafts(Path(death.task.item.output).parent, death.pid)
        withdrawn = self._inquest.withdrawn
        try:
            verdict = self._inquest.hold(death)
        except ConfigurationError as error:
            self._stop(str(error))
            return
        for tier in self._inquest.withdrawn[len(withdrawn) :]:
            self._watcher.noted(
                f"{tier} has killed several workers in a row: this run goes on without it."
            )
        if isinstance(verdict, Task):
            self._waiting.appendleft(verdict)
        else:
            self._settle(verdict)

    def _settle(self, outcome: Outcome) -> None:
        try:
            self._ledger.append(outcome)
        except OSError as error:
            self._stop(f"{self._ledger.path} cannot be written: {error.strerror}")
            return
        self.summary.add(outcome)
        self._watcher.ended(outcome, self.summary)

    def _stop(self, reason: str) -> None:
        if self.summary.stopped is None:
            self.summary.stopped = reason
