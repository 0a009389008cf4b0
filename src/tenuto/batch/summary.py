"""What a run has done, in numbers that add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tenuto.journal import Outcome, OutcomeStatus

__all__ = ["Summary"]


@dataclass(slots=True)
class Summary:
    """``inputs`` = enhanced + degraded + quarantined + finished or quarantined earlier + left."""

    inputs: int
    finished_earlier: int
    """Had an outcome before the run that holds, and were not done again."""
    quarantined_earlier: int = 0
    """Were put into quarantine before the run, and left there."""
    ignored: int = 0
    """Files in the folders that are not called like sound. Not inputs."""
    bad_rows: int = 0
    """Rows of a manifest that were left out, whatever was wrong with them. Not inputs."""
    statuses: Counter[OutcomeStatus] = field(default_factory=Counter)
    tiers: Counter[str] = field(default_factory=Counter)
    """How many recordings were enhanced by each tier."""
    with_errors: int = 0
    """Recordings on whose way an error was recorded."""
    audio_seconds: float = 0.0
    """How much sound has been worked on."""
    seconds: float = 0.0
    """How long the run took."""
    waiting: str | None = None
    """Why nothing is begun just now; None while the work goes on."""
    stopped: str | None = None
    """Why the run was stopped before its end; None where it was not."""
    interrupted_by: int | None = None
    """The signal that asked it to stop, if one did."""

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.statuses[outcome.status] += 1
        self.with_errors += bool(outcome.errors)
        self.audio_seconds += outcome.audio_seconds or 0.0
        if outcome.status is OutcomeStatus.ENHANCED and outcome.tier:
            self.tiers[outcome.tier] += 1

    def confirm(self, status: OutcomeStatus) -> None:
        """Count an outcome of an earlier run that turned out to hold."""
        if status is OutcomeStatus.QUARANTINED:
            self.quarantined_earlier += 1
        else:
            self.finished_earlier += 1

    @property
    def ended(self) -> int:
        """Recordings this run has given an outcome."""
        return self.statuses.total()

    @property
    def left(self) -> int:
        """Recordings for the next run."""
        return self.inputs - self.finished_earlier - self.quarantined_earlier - self.ended

    @property
    def times_real_time(self) -> float:
        """Seconds of sound for each second of the run."""
        return self.audio_seconds / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long the rest will take at the pace so far; None while there is none."""
        return self.left * self.seconds / self.ended if self.ended else None

    @property
    def exit_status(self) -> int:
        """0: all is well; 1: something is in quarantine; 2: stopped; 128 + n: by a signal.

        A row that should name an input, and does not, is as bad as one in quarantine.
        """
        if self.stopped is not None:
            return 2
        if self.interrupted_by is not None:
            return 128 + self.interrupted_by
        quarantined = self.statuses[OutcomeStatus.QUARANTINED] + self.quarantined_earlier
        return 1 if quarantined or self.bad_rows else 0
