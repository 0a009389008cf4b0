"""The tiers of a ladder, at work on one recording."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tenuto.clock import Clock
from tenuto.errors import AudioProcessingError, FaultClass, TenutoError, classify
from tenuto.policies import Backoff, CircuitBreaker, EventKind, PolicyEvent, Retry, Stack, stack
from tenuto.recovery import Ladder, LadderResult, Tier

from .codec import Recording
from .engines import Engine, UnfitSoundError, engine_for
from .engines.checking import SILENCE, check_fit
from .faults import in_words, stop_if_fatal
from .passing import AsideError, Pass
from .quality import Gate, Verdict
from .sizes import Sizes
from .survey import Survey
from .trail import Trail
from .writer import Writer

__all__ = ["ORIGINAL", "Rungs", "Take"]

ORIGINAL = "original"

_SHORTEST = 0.1
"""Seconds. In less there is nothing to tell speech from noise by, and nothing to judge."""

_REPEAT_AFTER = Backoff("fixed", initial=0.1)
"""An engine starts each call with a fresh state: what that cures needs no long wait."""


@dataclass(frozen=True, slots=True)
class Take:
    """What a tier made of a recording, and what the gate said of it."""

    tier: str
    accepted: bool
    path: Path | None = None
    """The draft that it is in; None where it is the recording as it is."""
    engine: str | None = None
    quality_before: float | None = None
    quality_after: float | None = None


@dataclass(frozen=True, slots=True)
class _Judged:
    path: Path | None
    engine: str
    verdict: Verdict

    @staticmethod
    def gate(judged: _Judged) -> Verdict:
        return judged.verdict


class _TooLargeError(TenutoError):
    """There was no memory for a chunk, and a smaller one can be tried: the cause tells."""

    fault_class = FaultClass.DATA  # so that the engine's guards neither repeat nor count it


class Rungs:
    """Tiers by name, best first, each behind a circuit breaker and a retry."""

    def __init__(self, ladder: Sequence[str], gate: Gate, clock: Clock) -> None:
        self._ladder = tuple(ladder)
        self._gate = gate
        self._clock = clock
        self._breakers: dict[str, CircuitBreaker] = {}
        self._sizes = Sizes()
        self._loaded: set[str] = set()

    def best_take(
        self, recording: Recording, writer: Writer, trail: Trail, *, without: Collection[str] = ()
    ) -> Take:
        """The take of the first tier that passes the gate; failing that, the best there is.

        The trail says why it is not more. Raises ConfigurationError where a tier cannot work here,
        ShortageError where one lacks memory and more is to be had, and what goes wrong with reading
        and writing, whichever tier it is for.
        """
        try:
            _check_worth(recording.survey)
        except UnfitSoundError as error:
            trail.caught(error)
            trail.reasons.append(f"left as it is: {in_words(error)}")
            return Take(ORIGINAL, accepted=False)
        tiers = [name for name in self._ladder if name not in without]
        best = self._climb(tiers, recording, writer, trail) if tiers else None
        if best is None:
            return Take(ORIGINAL, accepted=False)
        judged: _Judged = best.output
        before, after = judged.verdict.quality_before, judged.verdict.quality_after
        if judged.verdict.no_worse:
            engine = None if judged.path is None else judged.engine
            return Take(best.tier, best.accepted, judged.path, engine, before, after)
        return Take(ORIGINAL, accepted=False, quality_before=before)

    def _climb(
        self, tiers: Sequence[str], recording: Recording, writer: Writer, trail: Trail
    ) -> LadderResult | None:
        aside: list[BaseException] = []

        def fell(tier: str, error: BaseException) -> None:
            stop_if_fatal(error)
            if any(error is each for each in aside):
                raise error  # the other tiers would meet it too
            trail.caught(error, tier=tier)
            trail.ask_for_more(error)
            trail.reasons.append(f"{tier}: {in_words(error)}")

        passing = Pass(recording, self._gate.attend(recording.survey), writer, trail.beat)
        ladder = Ladder(
            [Tier(name, self._work(name, passing, trail, aside)) for name in tiers],
            gate=_Judged.gate,
            on_fall=fell,
        )
        try:
            return ladder.climb()
        except AudioProcessingError:
            if aside:
                raise
            return None  # every tier failed, and each has told why

    def _work(
        self, tier: str, passing: Pass, trail: Trail, aside: list[BaseException]
    ) -> Callable[[], _Judged]:
        """Enhance and judge in one step: the gate runs native code as well."""

        def work() -> _Judged:
            with trail.step(tier, 0.0):
                engine = engine_for(tier, passing.recording.rate)
                begun = passing
                if engine.name not in self._loaded:  # some load when the first sound comes
                    trail.load(0.0)
                    begun = replace(passing, beat=trail.load)
                met: BaseException | None = None
                try:
                    path = self._fitting(engine, begun, trail)
                    self._loaded.add(engine.name)
                except AsideError as error:
                    met = error.__cause__
                if met is not None:
                    aside.append(met)
                    raise met
                verdict = passing.hearing.verdict()
                if path is not None and not verdict.no_worse:
                    passing.writer.drafts.discard(path)
                return _Judged(path, engine.name, verdict)

        return work

    def _fitting(self, engine: Engine, passing: Pass, trail: Trail) -> Path | None:
        """Enhance in chunks as large as there is memory for."""
        while True:
            frames, can_shrink = self._sizes.frames(engine, passing.recording)
            try:
                path = self._guarded(engine, passing, trail, frames, can_shrink=can_shrink)
            except _TooLargeError as error:
                short = error.__cause__
            else:
                self._sizes.fits(engine, passing.recording)
                return path
            assert short is not None
            stop_if_fatal(short)
            trail.caught(short, chunk_seconds=frames / passing.recording.rate)
            self._sizes.too_large(engine, passing.recording)
            del short

    def _guarded(
        self, engine: Engine, passing: Pass, trail: Trail, frames: int, *, can_shrink: bool
    ) -> Path | None:
        def enhance() -> Path | None:
            try:
                return passing.through(engine, frames)
            except Exception as error:  # whatever it is, it goes on as it is or as too large
                if can_shrink and classify(error) is FaultClass.RESOURCE:
                    raise _TooLargeError from error
                raise

        return self._guard(engine.name, trail)(enhance)()

    def _guard(self, engine: str, trail: Trail) -> Stack:
        def heard(event: PolicyEvent) -> None:
            if event.kind is EventKind.RETRIED and event.error is not None:
                trail.caught(event.error)

        breaker = self._breakers.get(engine)
        if breaker is None:
            breaker = self._breakers[engine] = CircuitBreaker(engine, clock=self._clock)
        retry = Retry(1, _REPEAT_AFTER, name=engine, clock=self._clock, on_event=heard)
        return stack(retry, breaker)


def _check_worth(survey: Survey) -> None:
    """Raise UnfitSoundError for what no engine can make better."""
    if survey.duration < _SHORTEST:
        raise UnfitSoundError("it is too short to tell speech from noise")
    check_fit(survey)
    if survey.peaks.max() <= SILENCE:
        raise UnfitSoundError("it is silent")
