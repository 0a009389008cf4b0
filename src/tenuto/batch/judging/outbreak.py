"""Many recordings in a row fail alike: is it they, or something that all of them depend on.

A folder of texts called ``.wav`` and a network drive that is gone look the same from one recording.
So an outcome that is a failure is kept back until the next recording goes well, or fails in another
way: then it is final, or, where the fault is not the recording's, that is tried once more. When
twenty in a row fail alike, nothing else is begun, and a recording that went well before is tried
again. If it goes well now too, the others are at fault themselves, and keep their outcomes. If it
does not, the run waits, tries it again now and then, and does the others again when it goes well.
If that takes too long the run stops, and they are left for the next one.

Of those that hang two are enough, for it hardly ever happens, and to wait for twenty would take
long. Whatever made them wait may be over when the other is tried: so that it goes well does not
speak against them, and they are done again, once. After that each answers for itself.
"""

from __future__ import annotations

import math
import struct
import wave
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import shorten

from tenuto.audio.setbacks import Setbacks
from tenuto.batch.executors import Answer, Ended, Halt, Task, Trouble
from tenuto.batch.plan import Item
from tenuto.errors import FaultClass
from tenuto.journal import Outcome, OutcomeStatus
from tenuto.machines import CommonCause, Trust

from .alarm import LADDER, Alarm, Failure
from .inquest import MOST_BEGUN, MOST_SHARES, tiers_survived
from .whereabouts import READ

__all__ = ["ALIKE", "PATIENCE", "Outbreak"]

ALIKE = 20
"""Recordings in a row. Where half of all fail alike by chance, that is seen once in a million; and
then it costs the time of one recording, and nothing more."""

PATIENCE = 3_600.0
"""Seconds to wait for what all recordings depend on to come back."""

_MOST_HELD = 1_000  # outcomes in a row
_LONGEST_REASON = 200  # characters
_HUNG_ALIKE = 2  # that hang in a row

_WORKER = "the worker"
"""A step beside those of the work itself: that its worker lives to tell."""

_NOT_THE_SOUND = {FaultClass.INFRASTRUCTURE, FaultClass.RESOURCE, FaultClass.BUG}
_MAY_PASS = {FaultClass.INFRASTRUCTURE, FaultClass.RESOURCE}
_RESULT, _MADE_UP = ".tenuto-trial.part", ".tenuto-control.part"  # drafts, as far as others know


@dataclass(slots=True)
class _Row:
    """Recordings that failed alike, one after the other, with outcomes that are not final."""

    failure: Failure
    held: list[tuple[Task, Outcome]] = field(default_factory=list)


class Outbreak:
    """Keeps outcomes back while they look like one fault. Times are monotonic, in seconds.

    ``folder`` is where outputs go; ``trust`` knows which tiers are withdrawn. What has become of
    the recordings is to be asked after each call: ``settled``, ``again``, ``news`` and ``stopped``.
    """

    def __init__(
        self,
        ladder: Sequence[str],
        folder: Path,
        alike: int = ALIKE,
        trust: Trust | None = None,
    ) -> None:
        self._ladder = tuple(ladder)
        self._folder = folder
        self._machine = CommonCause(alike)
        self._trust = trust or Trust()
        self._is_retrial = False
        """Whether the ladder had its second chance, and has not done anything with it yet."""
        self._rows: dict[str, _Row] = {}
        self._seen: set[str] = set()
        self._good: dict[str, Item] = {}
        self._alarm: Alarm | None = None
        self._on_trial = False
        self._settled: list[tuple[Task, Outcome]] = []
        self._again: list[Task] = []
        self._news: list[str] = []
        self.stopped: str | None = None
        """Why it is no use to go on; None while it is."""

    @property
    def suspended(self) -> bool:
        """Whether nothing is to be begun but trials."""
        return self._alarm is not None

    @property
    def waiting(self) -> str | None:
        """What does not work for anybody just now, where that has been found out."""
        return self._alarm.reason if self._alarm and self._alarm.failed else None

    @property
    def control(self) -> Item | None:
        """A recording that a tier did well with, if there is one."""
        return self._good.get(LADDER)

    def take(
        self,
        task: Task,
        outcome: Outcome,
        troubles: Sequence[Trouble],
        content: str,
        now: float,
        *,
        hung: bool = False,
    ) -> None:
        """``task``, whose bytes have this hash, ended so; or it ``hung``, which may pass."""
        failure = self._failure(task, outcome, troubles)
        if failure is not None and hung:
            failure = replace(failure, hung=True)
        task = replace(task, content=content)
        self._note_passing(task, outcome)
        if failure is None or self._machine.is_acquitted(failure.step, failure.how):
            self._settled.append((task, outcome))
            return
        alarm = self._alarm
        if alarm and alarm.failure.step == failure.step and alarm.failure.how != failure.how:
            # While that step is in doubt, what fails there otherwise tells nothing.
            self._do_again(task, outcome)
            return
        self._seen.add(failure.step)
        row = self._rows.get(failure.step)
        if row is None or row.failure.how != failure.how:
            self._release(failure.step)
            row = self._rows[failure.step] = _Row(failure)
        row.held.append((task, outcome))
        enough = _HUNG_ALIKE if failure.hung else None
        who = content or task.item.input
        many = self._machine.failed(failure.step, failure.how, who, enough)
        if many and alarm is None and not self._on_trial:
            self._raise_alarm(row, now)
        elif not many and len(row.held) >= _MOST_HELD:
            self._release(failure.step)  # copies of few recordings: they never become many

    def trial(self, now: float) -> Task | None:
        """What is to be tried now, if anything."""
        alarm = self._alarm
        if alarm is None or self._on_trial or now < alarm.next_at:
            return None
        self._on_trial = True
        without = alarm.without(self._ladder)
        item = Item(alarm.control.input, str(self._folder / _RESULT))
        return Task(item, Setbacks(without), trial=True, shares=MOST_SHARES)

    def tried(self, ended: Ended, now: float) -> None:
        """A trial ended."""
        self._on_trial = False
        alarm = self._alarm
        if alarm is None:  # others went well in the meantime
            return
        if isinstance(ended, Answer) and isinstance(ended.result, Halt):
            self._stop(ended.result.reason)
        elif isinstance(ended, Answer) and self._is_well(alarm, ended):
            if alarm.without_tiers:
                alarm.clear_others(now)
            else:
                self._end_alarm(alarm, ended)
        elif alarm.only_the_tier:
            self._convict(alarm.failure.step, now)
        elif alarm.once:
            self._alarm = None
            self._settled += self._rows.pop(alarm.failure.step).held
        elif now - alarm.begun >= PATIENCE:
            self._stop(f"{alarm.reason}; and what went well before fails as well")
        else:
            known = alarm.failed
            alarm.fail(now, self._ladder)
            if alarm.failed and not known:
                self._news.append("It is not the recordings, so they wait, and are tried again.")

    def conclude(self, now: float) -> None:
        """There is nothing else to compare with: look into what may not be the recordings' fault.

        Where that is the case the run is ``suspended`` for it.
        """
        for row in self._rows.values():
            of_the_ladder = row.failure.step == LADDER
            in_doubt = any(
                not task.retried and (not of_the_ladder or self._only_lacked_tiers(task))
                for task, _ in row.held
            )
            # A tier that hangs is tried once more with the same recording, which tells as much.
            waits = row.failure.hung and row.failure.step not in self._ladder
            if self._alarm is None and in_doubt and (waits or of_the_ladder):
                self._raise_alarm(row, now, once=of_the_ladder)

    def finish(self) -> None:
        """There is nothing more to come. What is suspected in an alarm stays without an outcome."""
        if self._alarm is None:
            for step in list(self._rows):
                self._release(step)
        with suppress(OSError):
            (self._folder / _MADE_UP).unlink()

    def settled(self) -> list[tuple[Task, Outcome]]:
        """Outcomes that have become final, and of what."""
        taken, self._settled = self._settled, []
        return taken

    def again(self) -> list[Task]:
        """Tasks that are to be done again."""
        taken, self._again = self._again, []
        return taken

    def news(self) -> list[str]:
        """What people ought to know."""
        taken, self._news = self._news, []
        return taken

    def _failure(self, task: Task, outcome: Outcome, troubles: Sequence[Trouble]) -> Failure | None:
        """What went wrong that may have gone wrong with others too."""
        if outcome.status is OutcomeStatus.QUARANTINED:
            if not troubles:  # it has killed workers
                how = outcome.reason or "it kills the worker process"
                return Failure(_WORKER, how, FaultClass.DATA)
            last = troubles[-1]
            return Failure(last.step, last.how, last.fault)
        if outcome.tier in self._ladder or not self._ladder:
            return None
        broken = any(
            each.step in self._ladder and each.fault in _NOT_THE_SOUND for each in troubles
        )
        withdrawn = set(self._ladder) <= set(task.setbacks.without)
        return Failure(LADDER, "no tier works", FaultClass.BUG) if broken or withdrawn else None

    def _note_passing(self, task: Task, outcome: Outcome) -> None:
        if outcome.status is OutcomeStatus.QUARANTINED:
            return
        self._good[_WORKER] = task.item
        survived = tiers_survived(self._ladder, task, outcome)
        for tier in survived:
            self._good[tier] = task.item
        if outcome.tier in self._ladder:
            self._good[LADDER] = task.item
            self._is_retrial = False
        for step in self._seen:
            if step == LADDER and outcome.tier not in self._ladder:
                continue
            if step in self._ladder and step not in survived:
                continue
            self._machine.passed(step)
            alarm = self._alarm
            if alarm and alarm.failure.step == step:
                self._alarm = None
                if alarm.failed:
                    self._put_back(step)
            self._release(step)

    def _raise_alarm(self, row: _Row, now: float, *, once: bool = False) -> None:
        failure, (task, outcome) = row.failure, row.held[-1]
        is_of_tiers = failure.step == LADDER or failure.step in self._ladder
        good = self._good.get(failure.step if is_of_tiers else _WORKER)
        if good is None and task.content and failure.step != LADDER:
            with suppress(OSError):  # the bytes of these can be read, so why not our own
                good = Item(str(_make_recording(self._folder / _MADE_UP)), "")
        reason = shorten(outcome.reason or failure.how, _LONGEST_REASON, placeholder=" …")
        alarm = Alarm(failure, reason, now, good or task.item, good is not None, now, once=once)
        if failure.hung and failure.step == READ and good is not None:
            # What was read before may still be in memory, and says nothing about the drive.
            alarm.control, alarm.is_good, alarm.other = task.item, False, good
        self._alarm = alarm
        many = "Several in a row hang" if failure.hung else "Many in a row fail alike"
        self._news.append(f"{many} ({reason}): looking whether it is they.")

    def _is_well(self, alarm: Alarm, ended: Answer) -> bool:
        outcome = ended.result
        if not isinstance(outcome, Outcome):
            return False
        if alarm.failure.step == LADDER:
            return outcome.tier in self._ladder
        if outcome.status is not OutcomeStatus.QUARANTINED:
            return True
        # One of those that failed may have a fault of its own besides.
        now = self._failure(ended.task, outcome, ended.troubles)
        return not alarm.is_good and now is not None and now.how != alarm.failure.how

    def _end_alarm(self, alarm: Alarm, ended: Answer) -> None:
        step = alarm.failure.step
        self._alarm = None
        if step == LADDER and self._trust.withdrawn and not self._is_retrial:
            assert isinstance(ended.result, Outcome)
            for tier in tiers_survived(self._ladder, ended.task, ended.result):
                self._trust.worked(tier)
            self._is_retrial = True
            self._machine.passed(step)
            self._put_back(step)
        elif alarm.is_good and not alarm.failed and not alarm.failure.hung:
            self._machine.acquit(step, alarm.failure.how)
            self._settled += self._rows.pop(step).held
            self._news.append("It is they: another goes well.")
        else:
            self._machine.passed(step)
            self._put_back(step)

    def _convict(self, tier: str, now: float) -> None:
        """All goes well without ``tier``, and nothing with it."""
        self._alarm = None
        self._trust.withdraw(tier, now)
        self._machine.passed(tier)
        tried = self._ladder[: self._ladder.index(tier) + 1]
        for task, outcome in self._rows.pop(tier).held:
            setbacks = replace(task.setbacks, errors=outcome.errors[:-1])
            reason = outcome.reason or tier
            setbacks = setbacks.and_then(reason, outcome.errors[-1], tried)
            self._again.append(replace(task, setbacks=setbacks, content=""))

    def _put_back(self, step: str) -> None:
        """All is in order again: those that failed have not had their turn."""
        row = self._rows.pop(step)
        for task, outcome in row.held:
            self._do_again(
                task, outcome, any_tier=step == LADDER, retried=task.retried or row.failure.hung
            )
        self._news.append(f"It goes well again; {len(row.held)} are done again.")

    def _release(self, step: str) -> None:
        """What was held back is final; but a fault that passes is given time to do so, once."""
        row = self._rows.pop(step, None)
        for task, outcome in row.held if row else ():
            any_tier = step == LADDER and self._only_lacked_tiers(task)
            if row and (row.failure.fault in _MAY_PASS or any_tier) and not task.retried:
                self._do_again(task, outcome, any_tier=any_tier, retried=True)
            else:
                self._settled.append((task, outcome))

    def _do_again(
        self, task: Task, outcome: Outcome, *, any_tier: bool = False, retried: bool = False
    ) -> None:
        """With ``any_tier``, by the tiers that it went without, too."""
        if task.begun >= MOST_BEGUN:
            self._settled.append((task, outcome))
            return
        setbacks = replace(task.setbacks, errors=outcome.errors or task.setbacks.errors)
        if any_tier:
            setbacks = replace(setbacks, without=())
        again = replace(task, setbacks=setbacks, retried=task.retried or retried, content="")
        self._again.append(again)

    def _only_lacked_tiers(self, task: Task) -> bool:
        """Whether no tier was tried, and that for no fault of the recording's."""
        return set(self._ladder) <= set(task.setbacks.without) and not task.setbacks.reasons

    def _stop(self, reason: str) -> None:
        self.stopped = f"many recordings in a row failed alike: {reason}"


def _make_recording(path: Path) -> Path:
    """A second of something like a voice, in the plainest format there is."""
    rate = 16_000
    tone = (0.3 * math.sin(math.tau * 220 * n / rate) * (n // 2_000 % 2) for n in range(rate))
    with path.open("wb") as raw, wave.open(raw, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", round(32_767 * each)) for each in tone))
    return path
