"""Tiers that are withdrawn are tried now and then, and used again when they work.

The trial is made with a recording that went well, beside the work, and nothing is kept of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tenuto.audio.setbacks import Setbacks
from tenuto.batch.executors import Answer, Ended, Task
from tenuto.batch.plan import Item
from tenuto.journal import Outcome, OutcomeStatus
from tenuto.machines import Trust

__all__ = ["Probation"]

_RESULT = ".tenuto-probation.part"  # a draft, as far as others know


class Probation:
    """The trials of what ``trust`` has withdrawn from ``ladder``, one at a time."""

    def __init__(self, trust: Trust, ladder: Sequence[str], folder: Path) -> None:
        self._trust = trust
        self._ladder = tuple(ladder)
        self._result = str(folder / _RESULT)
        self._on_trial: str | None = None

    def trial(self, control: Item | None, now: float) -> Task | None:
        """What is to be tried now, if anything, with ``control``, which went well before."""
        tier = None if self._on_trial else self._trust.due(now)
        if tier is None or control is None:
            return None
        self._on_trial = tier
        others = tuple(each for each in self._ladder if each != tier)
        return Task(Item(control.input, self._result), Setbacks(others), trial=True)

    def takes(self, ended: Ended, now: float) -> bool:
        """Whether it was a trial of this kind that ended; if so, that is seen to."""
        tier = self._on_trial
        if tier is None or ended.task.item.output != self._result:
            return False
        self._on_trial = None
        if tier not in self._trust.withdrawn:  # it has proved itself meanwhile
            return True
        result = ended.result if isinstance(ended, Answer) else None
        if isinstance(result, Outcome) and result.status is not OutcomeStatus.QUARANTINED:
            self._trust.worked(tier)
        else:
            self._trust.withdraw(tier, now)
        return True
