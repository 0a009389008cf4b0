"""The tiers of a ladder, at work on one sound."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tenuto.clock import Clock
from tenuto.errors import AudioProcessingError
from tenuto.policies import Backoff, CircuitBreaker, EventKind, PolicyEvent, Retry, Stack, stack
from tenuto.recovery import Ladder, LadderResult, Tier

from .engines import UnfitSoundError, engine_for
from .engines.checking import SILENCE, peaks_of
from .faults import in_words, stop_if_fatal
from .quality import Gate, Hearing, Verdict
from .sound import Samples, Sound
from .trail import Trail

__all__ = ["ORIGINAL", "Rungs", "Take"]

ORIGINAL = "original"

_SHORTEST = 0.1
"""Seconds. In less there is nothing to tell speech from noise by, and nothing to judge."""

_REPEAT_AFTER = Backoff("fixed", initial=0.1)
"""An engine starts each call with a fresh state: what that cures needs no long wait."""


@dataclass(frozen=True, slots=True)
class Take:
    """What a tier made of a sound, and what the gate said of it."""

    tier: str
    samples: Samples
    accepted: bool
    quality_before: float | None = None
    quality_after: float | None = None


@dataclass(frozen=True, slots=True)
class _Judged:
    samples: Samples
    verdict: Verdict

    @staticmethod
    def gate(judged: _Judged) -> Verdict:
        return judged.verdict


class Rungs:
    """Tiers by name, best first, each behind a circuit breaker and a retry."""

    def __init__(self, ladder: Sequence[str], gate: Gate, clock: Clock) -> None:
        self._ladder = tuple(ladder)
        self._gate = gate
        self._clock = clock
        self._breakers: dict[str, CircuitBreaker] = {}

    def best_take(self, sound: Sound, trail: Trail, *, without: Collection[str] = ()) -> Take:
        """The take of the first tier that passes the gate; failing that, the best there is.

        The trail says why it is not more. Raises ConfigurationError where a tier cannot work here.
        """
        try:
            _check_fit(sound)
        except UnfitSoundError as error:
            trail.caught(error)
            trail.reasons.append(f"left as it is: {in_words(error)}")
            return Take(ORIGINAL, sound.samples, accepted=False)
        tiers = [name for name in self._ladder if name not in without]
        best = self._climb(tiers, sound, trail) if tiers else None
        if best is None:
            return Take(ORIGINAL, sound.samples, accepted=False)
        samples, verdict = best.output.samples, best.output.verdict
        before, after = verdict.quality_before, verdict.quality_after
        if verdict.no_worse:
            return Take(best.tier, samples, best.accepted, before, after)
        return Take(ORIGINAL, sound.samples, accepted=False, quality_before=before)

    def _climb(self, tiers: Sequence[str], sound: Sound, trail: Trail) -> LadderResult | None:
        def fell(tier: str, error: BaseException) -> None:
            stop_if_fatal(error)
            trail.caught(error, tier=tier)
            trail.reasons.append(f"{tier}: {in_words(error)}")

        hearing = self._gate.listen(sound.samples, sound.rate)
        ladder = Ladder(
            [Tier(name, self._work(name, sound, trail, hearing)) for name in tiers],
            gate=_Judged.gate,
            on_fall=fell,
        )
        with suppress(AudioProcessingError):  # that every tier failed; each has told why
            return ladder.climb()
        return None

    def _work(
        self, tier: str, sound: Sound, trail: Trail, hearing: Hearing
    ) -> Callable[[], _Judged]:
        """Enhance and judge in one step: the gate runs native code as well."""

        def work() -> _Judged:
            with trail.step(tier, sound.duration):
                engine = engine_for(tier, sound.rate)
                guarded = self._guard(engine.name, trail)(engine.enhance)
                samples = guarded(sound.samples, sound.rate)
                return _Judged(samples, hearing.judge(samples))

        return work

    def _guard(self, engine: str, trail: Trail) -> Stack:
        def heard(event: PolicyEvent) -> None:
            if event.kind is EventKind.RETRIED and event.error is not None:
                trail.caught(event.error)

        breaker = self._breakers.get(engine)
        if breaker is None:
            breaker = self._breakers[engine] = CircuitBreaker(engine, clock=self._clock)
        retry = Retry(1, _REPEAT_AFTER, name=engine, clock=self._clock, on_event=heard)
        return stack(retry, breaker)


def _check_fit(sound: Sound) -> None:
    """Raise UnfitSoundError for what no engine can make better."""
    if sound.duration < _SHORTEST:
        raise UnfitSoundError("it is too short to tell speech from noise")
    if peaks_of(sound.samples, sound.rate).max() <= SILENCE:
        raise UnfitSoundError("it is silent")
