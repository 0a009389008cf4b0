"""The gate at the end of a tier: what is worse than it was is turned away."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import numpy as np

from tenuto.audio.resample import Mono
from tenuto.audio.sound import Samples
from tenuto.errors import ConfigurationError

from .excerpts import choose_excerpts, cut
from .meter import Dnsmos, Meter
from .sanity import broken_law
from .survival import compare
from .verdict import Verdict
from .worsening import THRESHOLD, confidence, suspicion

__all__ = ["Gate", "Hearing"]

_BEST = 5.0


class Gate:
    """Decides whether an output may take the place of its input.

    It has to obey the laws of sanity, to be no worse than its input as far as can be told without
    the clean speech, and to sound at least as good as ``min_quality``, if that is given: on the
    scale of DNSMOS, from 1 to 5 (noisy speech has 1.1 at 0 dB, 2.2 at 10 dB; studio speech 3 to
    3.5). ``meter="none"`` saves the 0.2 s that each opinion takes: nothing then has a quality.
    Long recordings are judged by ``excerpts`` excerpts of nine seconds. May be used by many threads.

    Raises ConfigurationError for a ``min_quality`` that is not on the scale, or has no meter.
    """

    def __init__(
        self,
        min_quality: float | None = None,
        *,
        meter: Meter | Literal["dnsmos", "none"] = "dnsmos",
        excerpts: int = 3,
    ) -> None:
        if min_quality is not None and not 1 <= min_quality <= _BEST:
            raise ConfigurationError("min_quality", f"{min_quality} is not between 1 and 5")
        if min_quality is not None and meter == "none":
            raise ConfigurationError("min_quality", "there is no meter to tell the quality")
        if excerpts < 1:
            raise ConfigurationError("excerpts", "at least one has to be judged")
        self.min_quality = min_quality
        self.excerpts = excerpts
        self.meter: Meter | None = _meter(meter)

    def listen(self, before: Samples, rate: int) -> Hearing:
        """Get ready to judge outputs made from ``before``, which is itself judged only once.

        ``before`` has the shape (frames, channels) and is finite; ``rate`` is in Hz.
        """
        return Hearing(self, before, rate)

    def judge(self, before: Samples, after: Samples, rate: int) -> Verdict:
        """Whether ``after`` may take the place of ``before``. For one output; see ``listen``."""
        return self.listen(before, rate).judge(after)


class Hearing:
    """An input as its outputs are compared with it. For one thread."""

    def __init__(self, gate: Gate, before: Samples, rate: int) -> None:
        self._gate = gate
        self._before = before
        self._rate = rate

    @cached_property
    def quality(self) -> float | None:
        """The meter's overall opinion of the input, 1 to 5; None without a meter, or sound."""
        return _opinion(self._gate.meter, self._heard)

    def judge(self, after: Samples) -> Verdict:
        """Whether ``after`` may take the place of the input. Raises ConfigurationError where the
        meter is not installed.
        """
        law = broken_law(self._before, after, self._rate)
        if law is not None:
            return Verdict(
                accepted=False,
                score=0.0,
                threshold=THRESHOLD,
                reason=law,
                quality_before=self.quality,
                no_worse=False,
            )
        heard = [cut(after, self._rate, excerpt) for excerpt in self._excerpts]
        quality = _opinion(self._gate.meter, heard)
        score, reason = self._compare(heard)
        floor = self._gate.min_quality
        no_worse = score >= THRESHOLD
        threshold = THRESHOLD
        if no_worse and floor is not None and quality is not None:
            ...
        return Verdict(...)
