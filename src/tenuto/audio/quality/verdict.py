"""What the gate says of an output."""

from __future__ import annotations

from dataclasses import dataclass

from tenuto.errors import QualityThresholdError
from tenuto.recovery import Judgement

__all__ = ["Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict(Judgement):
    """A judgement on an output, comparable with those on other outputs for the same input.

    ``score`` and ``threshold`` belong to the test that decided. For an output that breaks a law of
    sanity or is taken to be worse than its input, ``score`` is the gate's confidence that it is no
    worse, from 0 to 1. For one that is no worse but not good enough, it is the meter's opinion,
    from 1 to 5. So of two rejected outputs the one with the higher score is the one to keep.
    """

    quality_before: float | None = None
    """The meter's overall opinion of the input, 1 to 5; None without a meter, or without sound."""
    quality_after: float | None = None
    """Its opinion of the output."""
    no_worse: bool = True
    """Whether the output may be used in place of the input, were it only good enough."""

    def error(self) -> QualityThresholdError:
        """The error that a rejection is, with ``quality_score`` and ``threshold``."""
        return QualityThresholdError(
            self.score,
            self.threshold,
            message=self.reason,
            quality_before=self.quality_before,
            quality_after=self.quality_after,
        )
