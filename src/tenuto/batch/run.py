"""One run: every item of a plan gets exactly one outcome, or is left for the next run."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tenuto.audio.names import path_text
from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import ConfigurationError
from tenuto.journal import Outcome, OutcomeStatus

from .budget import Account, ErrorBudget
from .claim import CLAIM_NAME, Claim
from .crew import Crew, Permit
from .executors import Death, Ended, Executor, Halt, Manner, Recognised, Short, Task, Unchanged
from .interruption import Interruption
from .judging.inquest import Doubt, Inquest
from .judging.outbreak import Outbreak
from .judging.probation import Probation
from .ledger.ledger import Ledger
from .plan import Item, Plan
from .replay import Canaries
from .room import Room
from .summary import Summary
from .work import Work

__all__ = ["Run", "Watcher"]

_GLANCE = 0.2
"""Seconds between two looks at whether somebody wants the run to stop."""

_STANDSTILL = 3.0
"""Seconds between two looks, a few times a second as they are, that show that the run itself stood
still: stopped from the keyboard, or with its container, or as the machine had no time for it."""

_MOST_AGAIN = 1_000
"""Recordings that wait for a second chance, before the first of them has it."""


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


@dataclass(frozen=True, slots=True)
class _InHand:
    """A task that somebody is at."""

    shares: int
    permit: Permit | None
    since: float


class Run:
    """Drives a plan through an executor. ``go`` once."""

    def __init__(
        self,
        plan: Plan,
        *,
        executor: Executor,
        ledger: Ledger,
        claim: Claim,
        room: Room,
        inquest: Inquest,
        interruption: Interruption,
        watcher: Watcher,
        budget: ErrorBudget | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._plan = plan
        self._executor = executor
        self._ledger = ledger
        self._inquest = inquest
        self._interruption = interruption
        self._watcher = watcher
        self._clock = clock
        self._claim = claim
        self._room = room
        self._short = False
        self._work = Work(ledger, chance=None if budget is None else clock)
        self._account = None if budget is None else Account.of(budget, plan, ledger)
        self._canaries = Canaries(plan.cohorts)
        self._waiting: deque[Task] = deque()
        self._again: deque[Task] = deque()
        """What is to be tried once more, when others have had their turn."""
        self._outbreak = Outbreak(inquest.ladder, Path(plan.folder), trust=inquest.trust)
        self._probation = Probation(inquest.trust, inquest.ladder, Path(plan.folder))
        self._withdrawn: tuple[str, ...] = ()
        self._crew = Crew()
        self._in_hand: dict[Item, _InHand] = {}
        self._looked_at = self._moved_at = clock.monotonic()
        self._unsettled = 0
        """Recordings that were begun and have no outcome yet: their outputs may be there."""
        self.summary = Summary(
            inputs=plan.inputs,
            finished_earlier=plan.finished,
            quarantined_earlier=plan.quarantined,
            ignored=plan.ignored,
            bad_rows=plan.bad_rows,
        )

    @property
    def is_in_order(self) -> bool:
        """Whether each output that is there has its outcome, however it ended."""
        return not self._unsettled

    def go(self) -> Summary:
        """Work until all is done, or something stops it."""
        started = self._looked_at = self._clock.monotonic()
        self._watcher.began(self._plan, self.summary)
        if self._account is not None:
            self._keep_to(self._account)  # it may have been spent by the runs before
        while self._begin_more() or self._in_hand:
            found = self._executor.wait(_GLANCE)
            self._look()
            for text in self._executor.news():
                self._watcher.noted(text)
            if not self._claim.holds():
                self._leave()
                break
            for ended in found:
                self._take(ended)
                self._follow_outbreak()
            self._tell_of_tiers()
            self.summary.seconds = self._clock.monotonic() - started
            self._watcher.ticked(self.summary)
        else:
            self._outbreak.finish()
            self._follow_outbreak()
            self._tidy()
        return self.summary

    def _begin_more(self) -> bool:
        """Fill the free places; False if nothing is to be begun any more."""
        self.summary.waiting = self._outbreak.waiting
        if self._interruption.signal is not None and self.summary.interrupted_by is None:
            self.summary.interrupted_by = self._interruption.signal
            self._watcher.noted(
                f"Stopping: {len(self._in_hand)} in hand will be finished. "
                "Once more to leave at once."
            )
        if self.summary.interrupted_by is not None or self.summary.stopped is not None:
            for left in self._executor.withdraw():  # for the next run
                del self._in_hand[left.item]
            return False
        if self._outbreak.suspended:
            if trial := self._outbreak.trial(self._clock.monotonic()):
                self._submit(trial, max(1, min(trial.shares, self._free())))
            return True
        if not self._upcoming() and not self._in_hand and self._conclude():
            return True
        self._try_withdrawn()
        while (
            self.summary.stopped is None and (task := self._upcoming()) and self._has_room_for(task)
        ):
            if self._is_short_of_room():
                return True
            task = self._inquest.prepare(self._waiting.popleft())
            self._submit(task, self._shares(task))
        return bool(self._in_hand)

    def _conclude(self) -> bool:
        """All have had their turn; True if it is not clear yet whose fault it was with some."""
        self._outbreak.conclude(self._clock.monotonic())
        if not self._outbreak.suspended:
            self._outbreak.finish()
        self._follow_outbreak()
        return self._outbreak.suspended

    def _try_withdrawn(self) -> None:
        if self._upcoming() and self._free():
            trial = self._probation.trial(self._outbreak.control, self._clock.monotonic())
            if trial is not None:
                self._submit(trial, trial.shares)

    def _upcoming(self) -> Task | None:
        """The task that is next, if there is one just now."""
        if not self._waiting:
            item = None if len(self._again) >= _MOST_AGAIN else self._work.next()
            if item is not None:
                self._waiting.append(Task(item))
            elif self._again:
                self._waiting.append(self._again.popleft())
        return self._waiting[0] if self._waiting else None

    def _is_short_of_room(self) -> bool:
        """Whether nothing is to be begun because the disk would get full."""
        shortage = self._room.shortage()
        if shortage and not self._short:
            self._watcher.noted(f"Waiting: {shortage}. It goes on by itself when there is room.")
        elif self._short and not shortage:
            self._watcher.noted("There is room again.")
        self._short = shortage is not None
        self.summary.waiting = shortage
        return self._short

    def _shares(self, task: Task) -> int:
        """How many places a task takes: those of a short crew share what there is."""
        places = self._executor.places
        return min(places, max(task.shares, -(-places // self._crew.size(places))))

    def _has_room_for(self, task: Task) -> bool:
        return self._shares(task) <= self._free()

    def _free(self) -> int:
        """How many places nobody is at."""
        return self._executor.places - sum(each.shares for each in self._in_hand.values())

    def _submit(self, task: Task, shares: int) -> None:
        make_do = task.starved or shares >= self._executor.places
        task = replace(task, shares=shares, begun=task.begun + 1, make_do=make_do)
        try:
            self._executor.submit(task)
        except OSError as error:
            self._stop(f"no worker process can be started: {error.strerror or error}")
            return
        self._unsettled += task.begun == 1 and not task.trial
        self._in_hand[task.item] = _InHand(shares, self._crew.permit(), self._clock.monotonic())

    def _take(self, ended: Ended) -> None:
        task, now = ended.task, self._clock.monotonic()
        hand = self._in_hand.pop(task.item)
        if task.trial:
            if not self._probation.takes(ended, now):
                self._outbreak.tried(ended, now)
        elif isinstance(ended, Death):
            if ended.manner is Manner.STARVED:
                self._crew.starved(hand.permit, self._executor.places)
            self._take_death(ended, now, frozen=hand.since < self._moved_at)
        elif isinstance(ended.result, Halt):
            self._stop(ended.result.reason)
        elif isinstance(ended.result, Unchanged):
            self._confirm(task)
        elif isinstance(ended.result, Short):
            self._crew.starved(hand.permit, self._executor.places)
            self._waiting.appendleft(self._inquest.give_more(task, ended.result.errors))
        elif isinstance(ended.result, Recognised):
            self._follow(task, self._inquest.recognise(task, ended.content), ended.content, now)
        else:
            self._inquest.note_survival(task, ended.result, ended.content)
            self._crew.went_well(hand.permit, now - hand.since, len(self._in_hand))
            outcome = replace(ended.result, content=ended.content or None)
            self._outbreak.take(task, outcome, ended.troubles, ended.content, now)

    def _look(self) -> None:
        """Note whether the run stood still: then its workers may have, and are not to blame."""
        now = self._clock.monotonic()
        if now - self._looked_at > _STANDSTILL:
            self._moved_at = now
        self._looked_at = now

    def _take_death(self, death: Death, now: float, *, frozen: bool) -> None:
        try:
            verdict = self._inquest.hold(death, now, frozen=frozen)
        except ConfigurationError as error:
            self._stop(str(error))
            return
        if isinstance(verdict, Doubt):
            doubt, troubles = verdict, (verdict.trouble,)
            self._outbreak.take(doubt.task, doubt.outcome, troubles, death.content, now, hung=True)
        else:
            self._follow(death.task, verdict, death.content, now)

    def _tell_of_tiers(self) -> None:
        withdrawn, known = self._inquest.trust.withdrawn, self._withdrawn
        for tier in withdrawn:
            if tier not in known:
                self._watcher.noted(
                    f"{tier} has killed several workers in a row: this run goes on without it, "
                    "and tries it again after a while."
                )
        for tier in known:
            if tier not in withdrawn:
                self._watcher.noted(f"{tier} works again, and is used again.")
        self._withdrawn = withdrawn

    def _follow(self, task: Task, verdict: Task | Outcome, content: str, now: float) -> None:
        if isinstance(verdict, Task):
            self._waiting.appendleft(verdict)
        else:
            outcome = replace(verdict, content=content or None)
            self._outbreak.take(task, outcome, (), content, now)

    def _follow_outbreak(self) -> None:
        for task, outcome in self._outbreak.settled():
            self._settle(task, outcome)
        for text in self._outbreak.news():
            self._watcher.noted(text)
        self._again.extend(self._outbreak.again())
        if self._outbreak.stopped is not None:
            self._stop(self._outbreak.stopped)

    def _settle(self, task: Task, outcome: Outcome) -> None:
        try:
            outcome = self._ledger.settle(task.item, replace(outcome, attempts=task.begun))
        except OSError as error:
            self._stop(f"the ledger cannot be written: {error.strerror}")
            return
        self._unsettled -= 1
        self.summary.add(outcome)
        if cohort := task.item.cohort:
            self._let_go(cohort, outcome)
        self._charge(task, outcome.status)
        self._watcher.ended(outcome, self.summary)

    def _charge(self, task: Task, status: OutcomeStatus) -> None:
        """Count an outcome towards the budget, if there is one, and stop where it does not hold."""
        if self._account is not None:
            self._account.take(status, sampled=not task.item.waited)
            self._keep_to(self._account)

    def _keep_to(self, account: Account) -> None:
        if objection := account.objection():
            self._stop(objection)

    def _confirm(self, task: Task) -> None:
        """The input was only touched: its outcome holds."""
        try:
            status = self._ledger.confirm(task.item)
        except OSError as error:
            self._stop(f"the ledger cannot be written: {error.strerror}")
            return
        self._unsettled -= 1
        self.summary.confirm(status)
        self._charge(task, status)

    def _let_go(self, canary_of: int, outcome: Outcome) -> None:
        """If the canaries did well, let the others follow."""
        cohort = self._canaries.take(canary_of, outcome)
        if cohort is not None:
            self.summary.quarantined_earlier -= cohort.waiting
            if self._account is not None:
                self._account.forgive(cohort.waiting)
            self._work.let_go(canary_of)
        if news := self._canaries.news(canary_of):
            self._watcher.noted(news)

    def _leave(self) -> None:
        """The output folder is gone: what is done now would be done in vain, or elsewhere."""
        self._executor.kill()
        self._stop(
            f"the output folder {path_text(self._plan.folder)} has vanished, or its mark "
            f"{CLAIM_NAME}; bring it back, then run it again"
        )

    def _tidy(self) -> None:
        try:
            self._ledger.tidy(rewrite=self.summary.interrupted_by is None)
        except OSError as error:
            self._stop(f"outcomes.jsonl could not be tidied: {error.strerror}")

    def _stop(self, reason: str) -> None:
        if self.summary.stopped is None:
            self.summary.stopped = reason
