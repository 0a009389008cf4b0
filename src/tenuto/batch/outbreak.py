"""Many recordings in a row fail alike: is it they, or something that all of them depend on.

A folder of texts called ``.wav`` and a network drive that is gone look the same from one recording.
So an outcome that is a failure is kept back until the next recording goes well, or fails in another
way: then it is final, or, where the fault is not the recording's, that is tried once more. When
twenty in a row fail alike, nothing else is begun, and a recording that went well before is tried
again. If it goes well now too, the others are at fault themselves, and keep their outcomes. If it
does not, the run waits, tries it again now and then, and does the others again when it goes well.
If that takes too long the run stops, and they are left for the next one.
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
from tenuto.errors import FaultClass
from tenuto.journal import Outcome, OutcomeStatus
from tenuto.machines import CommonCause

from .executors import Answer, Ended, Halt, Task, Trouble
from .inquest import MOST_SHARES
from .plan import Item

__all__ = ["ALIKE", "PATIENCE", "Outbreak"]

ALIKE = 20
"""Recordings in a row. Where half of all fail alike by chance, that is seen once in a million; and
then it costs the time of one recording, and nothing more."""

PATIENCE = 3_600.0
"""Seconds to wait for what all recordings depend on to come back."""

_MOST_HELD = 1_000  # outcomes in a row
_LONGEST_REASON = 200  # characters
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds between two trials
_LADDER, _WORKER = "the ladder", "the worker"  # beside the steps of the work itself
_NOT_THE_SOUND = {FaultClass.INFRASTRUCTURE, FaultClass.RESOURCE, FaultClass.BUG}
_MAY_PASS = {FaultClass.INFRASTRUCTURE, FaultClass.RESOURCE}
_RESULT, _MADE_UP = ".tenuto-trial.part", ".tenuto-control.part"  # drafts, as far as others know


@dataclass(frozen=True, slots=True)
class _Failure:
    step: str
    how: str
    fault: FaultClass


@dataclass(slots=True)
class _Row:
    """Recordings that failed alike, one after the other, with outcomes that are not final."""

    failure: _Failure
    held: list[tuple[Task, Outcome]] = field(default_factory=list)


@dataclass(slots=True)
class _Alarm:
    """What the run is held up for."""

    failure: _Failure
    reason: str
    begun: float
    control: Item
    is_good: bool
    """Whether ``control`` is something that goes well where all is in order."""
    next_at: float
    pause: float = _FIRST_PAUSE
    failed: bool = False


class Outbreak:
    """Keeps outcomes back while they look like one fault. Times are monotonic, in seconds.

    ``folder`` is where outputs go. What has become of the recordings is to be asked after each
    call: ``settled``, ``again``, ``news`` and ``stopped``.
    """

    def __init__(self, ladder: Sequence[str], folder: Path, alike: int = ALIKE) -> None:
        self._ladder = tuple(ladder)
        self._folder = folder
        self._machine = CommonCause(alike)
        self._rows: dict[str, _Row] = {}
        self._seen: set[str] = set()
        self._good: dict[str, Item] = {}
        self._alarm: _Alarm | None = None
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

    def take(
        self, task: Task, outcome: Outcome, troubles: Sequence[Trouble], content: str, now: float
    ) -> None:
        """``task``, whose bytes have this hash, ended so."""
        failure = self._failure(task, outcome, troubles)
        task = replace(task, content=content)
        self._note_passing(task, outcome)
        if failure is None or self._machine.is_acquitted(failure.step, failure.how):
            self._settled.append((task, outcome))
            return
        alarm = self._alarm
        if alarm and alarm.failure.step == failure.step and alarm.failure.how != failure.how:
            # While that step is in doubt, what fails there otherwise tells nothing.
            self._again.append(replace(task, content=""))
            return
        self._seen.add(failure.step)
        row = self._rows.get(failure.step)
        if row is None or row.failure.how != failure.how:
            self._release(failure.step)
            row = self._rows[failure.step] = _Row(failure)
        row.held.append((task, outcome))
        many = self._machine.failed(failure.step, failure.how, content or task.item.input)
        if many and alarm is None and not self._on_trial:
            self._raise_alarm(failure, task.item, outcome.reason or failure.how, content, now)
        elif not many and len(row.held) >= _MOST_HELD:
            self._release(failure.step)  # copies of few recordings: they never become many

    def trial(self, now: float) -> Task | None:
        """What is to be tried now, if anything."""
        alarm = self._alarm
        if alarm is None or self._on_trial or now < alarm.next_at:
            return None
        self._on_trial = True
        without = () if alarm.failure.step == _LADDER else self._ladder
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
            self._end_alarm(alarm)
        elif now - alarm.begun >= PATIENCE:
            self._stop(f"{alarm.reason}; and what went well before fails as well")
        else:
            if not alarm.failed:
                self._news.append("It is not the recordings, so they wait, and are tried again.")
            alarm.failed = True
            alarm.next_at = now + alarm.pause
            alarm.pause = min(_LONGEST_PAUSE, alarm.pause * 2)

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

    def _failure(
        self, task: Task, outcome: Outcome, troubles: Sequence[Trouble]
    ) -> _Failure | None:
        """What went wrong that may have gone wrong with others too."""
        if outcome.status is OutcomeStatus.QUARANTINED:
            if not troubles:  # it has killed workers
                how = outcome.reason or "it kills the worker process"
                return _Failure(_WORKER, how, FaultClass.DATA)
            last = troubles[-1]
            return _Failure(last.step, last.how, last.fault)
        if outcome.tier in self._ladder or not self._ladder:
            return None
        broken = any(
            each.step in self._ladder and each.fault in _NOT_THE_SOUND for each in troubles
        )
        withdrawn = set(self._ladder) <= set(task.setbacks.without)
        return _Failure(_LADDER, "no tier works", FaultClass.BUG) if broken or withdrawn else None

    def _note_passing(self, task: Task, outcome: Outcome) -> None:
        if outcome.status is OutcomeStatus.QUARANTINED:
            return
        self._good[_WORKER] = task.item
        if outcome.tier in self._ladder:
            self._good[_LADDER] = task.item
        for step in self._seen:
            if step == _LADDER and outcome.tier not in self._ladder:
                continue
            self._machine.passed(step)
            alarm = self._alarm
            if alarm and alarm.failure.step == step:
                self._alarm = None
                if alarm.failed:
                    self._put_back(step)
            self._release(step)

    def _raise_alarm(
        self, failure: _Failure, item: Item, reason: str, content: str, now: float
    ) -> None:
        control = self._good.get(_LADDER if failure.step == _LADDER else _WORKER)
        if control is None and content and failure.step != _LADDER:
            with suppress(OSError):  # the bytes of these can be read, so why not our own
                control = Item(str(_make_recording(self._folder / _MADE_UP)), "")
        reason = shorten(reason, _LONGEST_REASON, placeholder=" …")
        self._alarm = _Alarm(failure, reason, now, control or item, control is not None, now)
        self._news.append(f"Many in a row fail alike ({reason}): looking whether it is they.")

    def _is_well(self, alarm: _Alarm, ended: Answer) -> bool:
        outcome = ended.result
        if not isinstance(outcome, Outcome):
            return False
        if alarm.failure.step == _LADDER:
            return outcome.tier in self._ladder
        if outcome.status is not OutcomeStatus.QUARANTINED:
            return True
        # One of those that failed may have a fault of its own besides.
        now = self._failure(ended.task, outcome, ended.troubles)
        return not alarm.is_good and now is not None and now.how != alarm.failure.how

    def _end_alarm(self, alarm: _Alarm) -> None:
        if alarm.is_good and not alarm.failed:
            self._alarm = None
            self._machine.acquit(alarm.failure.step, alarm.failure.how)
            self._settled += self._rows.pop(alarm.failure.step).held
            self._news.append("It is they: another goes well.")
        else:
            self._alarm = None
            self._machine.passed(alarm.failure.step)
            self._put_back(alarm.failure.step)

    def _put_back(self, step: str) -> None:
        """All is in order again: those that failed have not had their turn."""
        row = self._rows.pop(step)
        self._again += [replace(task, content="") for task, _ in row.held]
        self._news.append(f"It goes well again; {len(row.held)} are done again.")

    def _release(self, step: str) -> None:
        """What was held back is final; but a fault that passes is given time to do so, once."""
        row = self._rows.pop(step, None)
        for task, outcome in row.held if row else ():
            if row and row.failure.fault in _MAY_PASS and not task.retried:
                setbacks = replace(task.setbacks, errors=outcome.errors)
                again = replace(task, setbacks=setbacks, retried=True, content="")
                self._again.append(again)
            else:
                self._settled.append((task, outcome))

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
