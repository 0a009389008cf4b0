"""What the death of a worker means, and what is to be done with the recording it was at.

The evidence is in the journal: before each step that may be fatal an attempt is opened, so the one
still open names the step. A death in a tier is that tier's doing, and the recording is tried again
one tier lower. A death anywhere else is held against the recording, and the second one puts it
into quarantine. A tier that kills worker after worker is not the recordings' fault: it is withdrawn
for the rest of the run. So is, as a whole, a run whose workers die before they have begun.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tenuto.audio.names import path_text
from tenuto.errors import ConfigurationError, FaultClass, TenutoError
from tenuto.journal import Attempt, AttemptEnd, Outcome, OutcomeStatus
from tenuto.reporting import ErrorReporter

from .executors import Death, Task

__all__ = ["Inquest", "WorkerDiedError"]

_FATAL_TO_THE_RECORDING = 2
_FATAL_TO_THE_TIER = 3
_FATAL_TO_THE_RUN = 5


class WorkerDiedError(TenutoError):
    """A worker process died: ``WorkerDiedError(cause, step)``.

    ``cause`` is for people (``killed by SIGSEGV``); ``step`` is what it was at, None if it had not
    begun.
    """

    fault_class = FaultClass.INFRASTRUCTURE
    fields = ("cause", "step")

    def describe(self) -> str:
        cause = self.details["cause"] or "it is gone"
        step = self.details["step"] or "start"
        return f"the worker process died at the step {step!r}: {cause}"


class Inquest:
    """Judges deaths. One for each run."""

    def __init__(self, ladder: Sequence[str], reporter: ErrorReporter) -> None:
        self._ladder = tuple(ladder)
        self._reporter = reporter
        self._journal = reporter.journal
        self._deaths: Counter[str | None] = Counter()
        self.withdrawn: tuple[str, ...] = ()
        """Tiers that are not to be used any more."""

    def note_survival(self, task: Task, outcome: Outcome) -> None:
        """A worker lived to tell how ``task`` ended."""
        self._deaths.pop(None, None)
        last = outcome.tier if outcome.tier in self._ladder else self._ladder[-1]
        for tier in self._ladder[: self._ladder.index(last) + 1]:
            if tier not in task.setbacks.without:
                self._deaths.pop(tier, None)

    def hold(self, death: Death) -> Task | Outcome:
        """The next attempt at the recording, or, if there must be none, its outcome.

        Raises ConfigurationError if workers keep dying before they begin.
        """
        work = path_text(death.task.item.input)
        attempt = self._open_attempt(work, death.given_out)
        step = attempt.step if attempt else None
        error = WorkerDiedError(death.cause, step, worker=death.pid, stack=list(death.stack))
        event = self._reporter.report(error, {"input": work})
        if attempt:
            self._journal.close_attempt(attempt.id, AttemptEnd.FAILED, error_id=event.id)
        self._deaths[step] += 1
        if step is None and self._deaths[None] >= _FATAL_TO_THE_RUN:
            raise ConfigurationError(
                "the worker processes", f"they die before they begin ({death.cause}); see the error"
            ) from error
        task = death.task
        if step in self._ladder:
            return self._one_tier_lower(task, step, f"{step}: {death.cause}", event.id)
        setbacks = task.setbacks.and_then(f"{step or 'start'}: {death.cause}", event.id)
        task = replace(task, setbacks=setbacks, deaths=task.deaths + 1)
        return self._quarantine(task) if task.deaths >= _FATAL_TO_THE_RECORDING else task

    def without_withdrawn(self, task: Task) -> Task:
        """``task``, told not to use the tiers that have been withdrawn."""
        if set(self.withdrawn) <= set(task.setbacks.without):
            return task
        without = tuple(dict.fromkeys((*task.setbacks.without, *self.withdrawn)))
        return replace(task, setbacks=replace(task.setbacks, without=without))

    def _open_attempt(self, work: str, since: float) -> Attempt | None:
        """The last one; older ones may be those of a run that was killed as a whole."""
        attempts = self._journal.open_attempts(work)
        return next((each for each in attempts[::-1] if (each.started or 0.0) >= since), None)

    def _one_tier_lower(self, task: Task, tier: str, reason: str, error: str) -> Task:
        if self._deaths[tier] >= _FATAL_TO_THE_TIER and tier not in self.withdrawn:
            self.withdrawn = (*self.withdrawn, tier)
        tried = self._ladder[: self._ladder.index(tier) + 1]
        return replace(task, setbacks=task.setbacks.and_then(reason, error, tried))

    def _quarantine(self, task: Task) -> Outcome:
        reason = "it kills the worker process: " + "; ".join(task.setbacks.reasons)
        outcome = Outcome(
            input=path_text(task.item.input),
            output=None,
            status=OutcomeStatus.QUARANTINED,
            errors=task.setbacks.errors,
            reason=reason,
        )
        self._journal.record(outcome)
        return outcome
