"""What a run is held up for, and which trial is to tell whether it may go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tenuto.batch.plan import Item
from tenuto.errors import FaultClass

__all__ = ["LADDER", "Alarm", "Failure"]

LADDER = "the ladder"
"""A step beside those of the work itself: that some tier does its work."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds between two trials


@dataclass(frozen=True, slots=True)
class Failure:
    """A way to fail: equal for those that failed alike."""

    step: str
    how: str
    fault: FaultClass
    hung: bool = False
    """Whether it got nowhere, and nothing tells why: it may have been made to wait."""


@dataclass(slots=True)
class Alarm:
    """What many failed at, and the trials of it. ``control`` is the recording they are made with.

    Where more than one thing may be to blame, the trials take turns: the tiers of a ladder from
    ever further down; a tier that hangs, and all but the tiers, for it is the tier if it hangs
    again after that went well; and ``other``, which takes its turn with ``control``.
    """

    failure: Failure
    reason: str
    begun: float
    control: Item
    is_good: bool
    """Whether ``control`` is something that goes well where all is in order."""
    next_at: float
    other: Item | None = None
    once: bool = False
    """Whether it is no use to wait."""
    failed: bool = False
    without_tiers: bool = False
    """Whether the trial is to show that all but the tier in doubt is in order."""
    only_the_tier: bool = False
    """Whether that has been shown. What all depend on may just have come back: that is no proof."""
    _pause: float = _FIRST_PAUSE
    _lower: int = 0

    def without(self, ladder: Sequence[str]) -> tuple[str, ...]:
        """The tiers that the next trial is to do without."""
        if self.failure.step == LADDER:
            return tuple(ladder[: self._lower])
        if self.failure.step in ladder and not self.without_tiers:
            return tuple(tier for tier in ladder if tier != self.failure.step)
        return tuple(ladder)

    def clear_others(self, now: float) -> None:
        """The trial without tiers went well: what does not is the tier, if it still does not."""
        self.without_tiers, self.only_the_tier = False, True
        self.next_at = now

    def fail(self, now: float, ladder: Sequence[str]) -> None:
        """The trial has failed, and proves nothing against a tier."""
        if self.failure.step in ladder and not self.without_tiers:
            self.without_tiers = True
            self.next_at = now
            return
        self.without_tiers = False
        self._lower = (self._lower + 1) % max(1, len(ladder))
        if self.other is not None:
            self.control, self.other = self.other, self.control
        self.failed = True
        self.next_at = now + self._pause
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)
