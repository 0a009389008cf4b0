"""What the death of a worker means, and what is to be done with the recording it was at.

The evidence is in the journal: before each step that may be fatal an attempt is opened, so the one
still open names the step. A death in a tier is that tier's doing, and the recording is tried again
one tier lower. A death at any other step is held against the recording's bytes, and the second one
puts them into quarantine, under whatever name they come, in this run or a later one. A tier that
kills worker after worker is not the recordings' fault: it is withdrawn until it works again. A run
whose workers die before they have begun is stopped.

One that hangs may have been made to wait, by a drive that is slow or gone. So the first time it is
only doubted, until it is known how others fare; and where it hung reading or writing a file it
never proves anything against the bytes.

Nobody is to blame where a worker was killed from outside, which may happen twice, or where its
memory was too little, once: then the recording is tried again, with more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tenuto.audio.names import path_text
from tenuto.batch.executors import Death, Manner, Task, Trouble
from tenuto.errors import ConfigurationError, FaultClass, TenutoError
from tenuto.journal import Attempt, AttemptEnd, Outcome, OutcomeStatus
from tenuto.machines import Trust
from tenuto.reporting import ErrorReporter

from .poison import FATAL, Poison
from .whereabouts import ON_FILES, step_of

__all__ = [
    "MOST_BEGUN",
    "MOST_SHARES",
    "Doubt",
    "Inquest",
    "WorkerDiedError",
    "WorkerStarvedError",
    "tiers_survived",
]

MOST_SHARES = 8
"""How many workers' share of the memory a recording gets for which one was too little."""

MOST_BEGUN = 12
"""Attempts at one recording, after which its outcome is final whatever else goes on: no evidence,
however odd, is to keep a run from its end."""

_SPARED = 2
_FATAL_TO_THE_RUN = 5
_FROZEN = 4  # attempts at one recording

_OUTSIDE = "outside the tiers"
"""Where bytes kill, if it is not in a tier."""


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


class WorkerStarvedError(WorkerDiedError):
    """A worker process died because there was no memory left for it."""

    fault_class = FaultClass.RESOURCE


@dataclass(frozen=True, slots=True)
class Doubt:
    """A recording that hung, which may be nobody's fault: others have to tell."""

    task: Task
    outcome: Outcome
    """How it ends, if it is not to be tried again."""
    trouble: Trouble


class Inquest:
    """Judges deaths. One for each run."""

    def __init__(self, ladder: Sequence[str], reporter: ErrorReporter, poison: Poison) -> None:
        self.ladder = tuple(ladder)
        """The tiers there are."""
        self._reporter = reporter
        self._journal = reporter.journal
        self._poison = poison
        self._never_begun = 0
        """How many workers in a row died before they began."""
        self._doubted: dict[str, tuple[str, str]] = {}
        """By input, the error and the reason of those that hung once, and have not ended yet."""
        self.trust = Trust()
        """Which tiers are withdrawn."""

    def note_survival(self, task: Task, outcome: Outcome, content: str) -> None:
        """A worker lived to tell how ``task``, of these bytes, ended."""
        survived = tiers_survived(self.ladder, task, outcome)
        self._never_begun = 0
        for tier in survived:
            self.trust.worked(tier)
        self._doubted.pop(task.item.input, None)
        self._poison.survived(content, (_OUTSIDE, *survived))

    def hold(self, death: Death, now: float, *, frozen: bool = False) -> Task | Outcome | Doubt:
        """The next attempt at the recording, or, if there must be none, its outcome.

        ``now`` is in seconds, monotonic. ``frozen``: the run itself stood still while the worker
        was at it, and so may the worker have. Raises ConfigurationError if workers keep dying
        before they begin.
        """
        task = replace(death.task, content=death.content)
        step, error = self._report(death)
        known = replace(task.setbacks, errors=(*task.setbacks.errors, error))
        spared = self._spare(replace(task, setbacks=known), death.manner, frozen=frozen)
        if spared is not None:
            return spared
        if step is None:
            self._never_begun += 1
            if self._never_begun >= _FATAL_TO_THE_RUN:
                what = f"they die before they begin ({death.cause}); see the error"
                raise ConfigurationError("the worker processes", what)
        elif death.manner is Manner.HUNG and (
            step in ON_FILES or not (task.retried or task.deaths)
        ):
            return self._doubt(replace(task, setbacks=known), step, death.cause)
        return self._blame(task, step, f"{step or 'start'}: {death.cause}", error, now)

    def _report(self, death: Death) -> tuple[str | None, str]:
        """The step that it died at, and the event that tells of it."""
        work = path_text(death.task.item.input)
        attempt = self._open_attempt(work, death.given_out)
        step = step_of(death, attempt)
        kind = WorkerStarvedError if death.manner is Manner.STARVED else WorkerDiedError
        error = kind(
            death.cause,
            step,
            worker=death.pid,
            content=death.content,
            stack=list(death.stack),
            words=death.words,
        )
        event = self._reporter.report(error, {"input": work})
        if attempt:
            self._journal.close_attempt(attempt.id, AttemptEnd.FAILED, error_id=event.id)
        return step, event.id

    def _spare(self, task: Task, manner: Manner, *, frozen: bool) -> Task | None:
        """The next attempt, where nobody is to blame."""
        if manner is Manner.KILLED and task.killed < _SPARED:
            return replace(task, killed=task.killed + 1)
        if manner is Manner.STARVED and not task.starved:
            return self.give_more(task, task.setbacks.errors)
        frozen = frozen and task.begun < _FROZEN  # where runs are slow, that does not excuse all
        return task if frozen and manner is Manner.HUNG else None

    def _blame(
        self, task: Task, step: str | None, reason: str, error: str, now: float
    ) -> Task | Outcome:
        if step in self.ladder:
            if task.content:
                self._poison.killed(task.content, step, error)
            self.trust.failed(step, now)
            return self._one_tier_lower(task, step, reason, error)
        if doubted := self._doubted.pop(task.item.input, None):
            earlier, why = doubted  # which is certain now
            if task.content:
                self._poison.killed(task.content, _OUTSIDE, earlier)
            setbacks = replace(task.setbacks, reasons=(*task.setbacks.reasons, why))
            task = replace(task, setbacks=setbacks, deaths=task.deaths + 1)
        if step is not None and task.content:
            self._poison.killed(task.content, _OUTSIDE, error)
        return self._hold_against(task, step, reason, error)

    def _doubt(self, task: Task, step: str, cause: str) -> Doubt:
        why = f"{step}: {cause}"
        if step not in ON_FILES and step not in self.ladder:
            self._doubted[task.item.input] = task.setbacks.errors[-1], why
        outcome = Outcome(
            input=path_text(task.item.input),
            output=None,
            status=OutcomeStatus.QUARANTINED,
            errors=task.setbacks.errors,
            reason="; ".join((*task.setbacks.reasons, why)),
            fault_class=FaultClass.INFRASTRUCTURE,
            content=task.content or None,
        )
        if task.retried or task.begun >= MOST_BEGUN:  # or it is tried again in any case
            self._journal.record(outcome)
        return Doubt(task, outcome, Trouble(step, cause, FaultClass.INFRASTRUCTURE))

    def give_more(self, task: Task, errors: tuple[str, ...]) -> Task:
        """The next attempt at a recording for which there was too little memory, just once."""
        setbacks = replace(task.setbacks, errors=errors)
        return replace(task, starved=True, shares=MOST_SHARES, setbacks=setbacks)

    def recognise(self, task: Task, content: str) -> Task | Outcome:
        """The attempt, or the outcome, that bytes deserve which have killed workers before."""
        setbacks = task.setbacks
        for step, errors in self._poison.deaths(content).items():
            if len(errors) < FATAL:
                continue
            causes = "; ".join(dict.fromkeys(self._cause(error) for error in errors))
            tier = step if step in self.ladder else None
            if tier is not None or step == _OUTSIDE:
                reason = f"{tier or 'its bytes'} killed {len(errors)} workers before: {causes}"
                setbacks = setbacks.and_then(reason, errors[-1], (tier,) if tier else ())
            if step == _OUTSIDE:
                return self._quarantine(replace(task, setbacks=setbacks, content=content))
        return replace(task, setbacks=setbacks, content=content)

    def prepare(self, task: Task) -> Task:
        """``task``, told what is known by now: tiers that are withdrawn, and bytes that kill."""
        setbacks = task.setbacks
        withdrawn = self.trust.withdrawn
        if not set(withdrawn) <= set(setbacks.without):
            without = tuple(dict.fromkeys((*setbacks.without, *withdrawn)))
            setbacks = replace(setbacks, without=without)
        if setbacks is task.setbacks and task.deadly == self._poison.deadly:
            return task
        return replace(task, setbacks=setbacks, deadly=self._poison.deadly)

    def _cause(self, error: str) -> str:
        event = self._journal.event(error)
        return str(event.details.get("cause")) if event else "the journal has let go of it"

    def _open_attempt(self, work: str, since: float) -> Attempt | None:
        """The last one; older ones may be those of a run that was killed as a whole."""
        attempts = self._journal.open_attempts(work)
        return next((each for each in attempts[::-1] if (each.started or 0.0) >= since), None)

    def _one_tier_lower(self, task: Task, tier: str, reason: str, error: str) -> Task:
        tried = self.ladder[: self.ladder.index(tier) + 1]
        return replace(task, setbacks=task.setbacks.and_then(reason, error, tried))

    def _hold_against(
        self, task: Task, step: str | None, reason: str, error: str
    ) -> Task | Outcome:
        setbacks = task.setbacks.and_then(reason, error)
        task = replace(task, setbacks=setbacks, deaths=task.deaths + 1)
        known = len(self._poison.deaths(task.content).get(_OUTSIDE, ()))
        # A worker that dies before it begins has not seen the recording, but all ends some time.
        fatal = FATAL if step is not None else _FATAL_TO_THE_RUN
        return self._quarantine(task) if max(task.deaths, known) >= fatal else task

    def _quarantine(self, task: Task) -> Outcome:
        reason = "it kills the worker process: " + "; ".join(task.setbacks.reasons)
        last = self._journal.event(task.setbacks.errors[-1])
        starved = last is not None and last.fault_class is FaultClass.RESOURCE
        outcome = Outcome(
            input=path_text(task.item.input),
            output=None,
            status=OutcomeStatus.QUARANTINED,
            errors=task.setbacks.errors,
            reason=reason,
            # One death is the workers' trouble; a recording that goes on killing is its own.
            fault_class=FaultClass.RESOURCE if starved else FaultClass.DATA,
            group=last.fingerprint if last else None,
            content=task.content or None,
        )
        self._journal.record(outcome)
        return outcome


def tiers_survived(ladder: Sequence[str], task: Task, outcome: Outcome) -> tuple[str, ...]:
    """The tiers of ``ladder`` that a worker is known to have lived through to end ``task`` so."""
    if outcome.tier not in ladder:  # it may not have come to any: silence does not
        return ()
    tried = ladder[: ladder.index(outcome.tier) + 1]
    return tuple(tier for tier in tried if tier not in task.setbacks.without)
