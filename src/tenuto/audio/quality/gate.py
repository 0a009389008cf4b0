"""The gate at the end of a tier: what is worse than it was is turned away."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Literal

import numpy as np

from tenuto.audio.sound import Samples, blocks_of
from tenuto.audio.survey import Survey, Surveyor, survey_of
from tenuto.errors import ConfigurationError

from .channels import Soundings, broken_channel
from .excerpts import Excerpts, Mono, choose_excerpts
from .meter import Dnsmos, Meter
from .sanity import broken_law
from .survival import Survival, compare
from .verdict import Verdict
from .worsening import THRESHOLD, confidence, suspicion

__all__ = ["Gate", "Hearing"]

_SCALE = (1.0, 5.0)


class Gate:
    """Decides whether an output may take the place of its input.

    The output has to obey the laws of sanity, to be no worse than its input as far as can be told
    without the clean speech, and to sound as good as ``min_quality``, if that is given: on the
    scale of DNSMOS, from 1 to 5 (noisy speech has 1.2 at 0 dB and 2.2 at 10 dB, studio speech 3 to
    3.5). ``meter="none"`` saves the 0.2 s that an opinion takes; nothing then has a quality. Long
    recordings are judged by up to ``excerpts`` excerpts of nine seconds. May be used by threads.

    Raises ConfigurationError for a ``min_quality`` that is off the scale, or that no meter tells.
    """

    def __init__(
        self,
        min_quality: float | None = None,
        *,
        meter: Meter | Literal["dnsmos", "none"] = "dnsmos",
        excerpts: int = 3,
    ) -> None:
        if min_quality is not None:
            lowest, highest = _SCALE
            if not lowest <= min_quality <= highest:
                raise ConfigurationError("min_quality", f"choose one from {lowest} to {highest}")
            if meter == "none":
                raise ConfigurationError("min_quality", "choose a meter to tell the quality by")
        self.min_quality = min_quality
        self.excerpts = max(1, excerpts)
        self.meter = _meter(meter)

    def load(self) -> None:
        """Load the meter's model now. Raises ConfigurationError where it is not installed."""
        if isinstance(self.meter, Dnsmos):
            self.meter.load()

    def listen(self, before: Samples, rate: int) -> Hearing:
        """Get ready to judge outputs made from ``before``, which is itself judged only once.

        ``before`` has the shape (frames, channels) and is finite; ``rate`` is in Hz.
        """
        hearing = self.attend(survey_of(before, rate))
        deque(hearing.before(blocks_of(before)), maxlen=0)
        return hearing

    def attend(self, survey: Survey) -> Hearing:
        """Get ready to judge outputs for an input that goes by; ``survey`` is the input's."""
        return Hearing(self, survey)

    def judge(self, before: Samples, after: Samples, rate: int) -> Verdict:
        """Whether ``after`` may take the place of ``before``.

        For more than one ``after``, use ``listen``. Raises ConfigurationError where the meter is
        not installed.
        """
        return self.listen(before, rate).judge(after)


class Hearing:
    """An input, as its outputs are compared with it. For one thread at a time.

    While a sound goes by, blocks pass through ``before`` and ``after``; then ``verdict`` judges.
    """

    def __init__(self, gate: Gate, survey: Survey) -> None:
        self._gate = gate
        self._survey = survey
        self._excerpts = choose_excerpts(survey, gate.excerpts)
        self._input, self._input_soundings = self._ears(survey.channels)
        self._output, self._output_soundings = self._ears(survey.channels)
        self._surveyor = Surveyor(survey.rate, survey.channels)

    def before(self, blocks: Iterator[Samples]) -> Iterator[Samples]:
        """The input, from its beginning; it is listened to until all is heard that is needed."""
        if self._input.complete and self._input_soundings.complete:
            return blocks
        self._input, self._input_soundings = self._ears(self._survey.channels)
        return _seen(blocks, self._input.see, self._input_soundings.see)

    def after(self, blocks: Iterator[Samples], channels: int) -> Iterator[Samples]:
        """A new output, from its beginning."""
        self._output, self._output_soundings = self._ears(channels)
        self._surveyor = Surveyor(self._survey.rate, channels)
        return _seen(blocks, self._output.see, self._output_soundings.see, self._surveyor.see)

    @cached_property
    def quality(self) -> float | None:
        """The meter's overall opinion of the input, 1 to 5; None without a meter or a sound."""
        return _opinion(self._gate.meter, self._heard)

    def judge(self, after: Samples) -> Verdict:
        """Whether ``after`` may take the place of the input.

        Raises ConfigurationError where the meter is not installed.
        """
        deque(self.after(blocks_of(after), after.shape[1]), maxlen=0)
        return self.verdict()

    def verdict(self) -> Verdict:
        """Whether the output that has just gone by may take the place of the input.

        Raises ConfigurationError where the meter is not installed.
        """
        broken = broken_law(self._survey, self._surveyor.survey())
        if broken is None:
            broken = broken_channel(self._input_soundings, self._output_soundings)
        if broken is not None:
            return self._verdict(0.0, THRESHOLD, None, broken, no_worse=False)
        heard = list(self._output.heard(self._survey.rate))
        quality = _opinion(self._gate.meter, heard)
        survival = self._survival(heard)
        sure = 1.0 if survival is None else confidence(survival, self._change(quality))
        if survival is not None and sure < THRESHOLD:
            return self._verdict(sure, THRESHOLD, quality, suspicion(survival), no_worse=False)
        floor = self._gate.min_quality
        if floor is not None and quality is not None and quality < floor:
            return self._verdict(quality, floor, quality, f"quality {quality:.2f} is below {floor}")
        return self._verdict(sure, THRESHOLD, quality)

    def _ears(self, channels: int) -> tuple[Excerpts, Soundings]:
        survey = self._survey
        return Excerpts(self._excerpts), Soundings(survey.frames, survey.rate, channels)

    @cached_property
    def _heard(self) -> list[Mono]:
        return list(self._input.heard(self._survey.rate))

    def _survival(self, heard: list[Mono]) -> Survival | None:
        compared = (compare(*pair) for pair in zip(self._heard, heard, strict=True))
        told = [survival for survival in compared if survival is not None]
        return Survival(*np.mean(told, axis=0)) if told else None

    def _change(self, quality: float | None) -> float | None:
        return None if quality is None or self.quality is None else quality - self.quality

    def _verdict(
        self,
        score: float,
        threshold: float,
        quality: float | None,
        reason: str = "",
        *,
        no_worse: bool = True,
    ) -> Verdict:
        return Verdict(
            accepted=not reason,
            score=score,
            threshold=threshold,
            reason=reason,
            quality_before=self.quality,
            quality_after=quality,
            no_worse=no_worse,
        )


def _meter(meter: Meter | Literal["dnsmos", "none"]) -> Meter | None:
    if isinstance(meter, str):
        return Dnsmos() if meter == "dnsmos" else None
    return meter


def _seen(blocks: Iterator[Samples], *watchers: Callable[[Samples], object]) -> Iterator[Samples]:
    for block in blocks:
        for see in watchers:
            see(block)
        yield block


def _opinion(meter: Meter | None, heard: list[Mono]) -> float | None:
    if meter is None:
        return None
    scores = [score for excerpt in heard if (score := meter.measure(excerpt)) is not None]
    return sum(score.overall for score in scores) / len(scores) if scores else None
