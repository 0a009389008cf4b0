"""A ladder of tiers: the best way first, each next one simpler, and a gate on what they give."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tenuto.errors import (
    AudioProcessingError,
    ConfigurationError,
    FaultClass,
    QualityThresholdError,
    classify,
    most_urgent,
)

from .drive import Steps, run, run_async

__all__ = ["Fall", "Judgement", "Ladder", "LadderResult", "Tier"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a gate says of an output. ``score`` and ``threshold`` are in the gate's own unit."""

    accepted: bool
    score: float | None = None
    threshold: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Tier:
    """One rung: a name, a way to do the work, and, if it has to pass one, a gate.

    The gate is called with the output and then with the arguments of the work, and returns a
    ``Judgement`` or a bool.
    """

    name: str
    work: Callable[..., Any]
    gate: Callable[..., Judgement | bool] | None = None


@dataclass(frozen=True, slots=True)
class Fall:
    """Why a tier was left. Holds nothing of the exception itself."""

    tier: str
    error_type: str
    message: str
    fault_class: FaultClass


@dataclass(frozen=True, slots=True)
class LadderResult:
    """What a ladder gave.

    ``accepted`` is False where every output was rejected: then this is the best of them.
    ``judgement`` is None where the tier has no gate.
    """

    output: Any
    tier: str
    accepted: bool
    judgement: Judgement | None
    falls: tuple[Fall, ...]

    @property
    def degraded(self) -> bool:
        """Whether this is less than the first tier passing its gate."""
        return bool(self.falls)


class Ladder:
    """Tiers, best first. ``Ladder([("high", f), ("basic", g)], gate=good_enough)``.

    ``gate`` is for the tiers that have none of their own. ``on_fall(tier, error)`` is told of each
    error, live, before the next tier is tried.
    """

    def __init__(
        self,
        tiers: Iterable[Tier | tuple[str, Callable[..., Any]]],
        *,
        gate: Callable[..., Judgement | bool] | None = None,
        on_fall: Callable[[str, BaseException], object] | None = None,
    ) -> None:
        self.tiers = tuple(t if isinstance(t, Tier) else Tier(*t) for t in tiers)
        if not self.tiers:
            raise ConfigurationError("Ladder", "give it at least one tier")
        self._gate = gate
        self._listeners = (on_fall,) if on_fall is not None else ()

    def telling(self, listener: Callable[[str, BaseException], object]) -> Ladder:
        """The same ladder, telling ``listener`` of each fall too."""
        ladder = copy.copy(self)
        ladder._listeners = (*self._listeners, listener)  # noqa: SLF001 - it is one of ours
        return ladder

    @property
    def is_async(self) -> bool:
        """Whether a tier or a gate is a coroutine function, so that it has to be awaited."""
        parts = [part for t in self.tiers for part in (t.work, t.gate)]
        return any(inspect.iscoroutinefunction(part) for part in (*parts, self._gate))

    def __str__(self) -> str:
        return " → ".join(tier.name for tier in self.tiers)

    def climb(self, *args: Any, **kwargs: Any) -> LadderResult:
        """The output of the first tier that passes its gate; failing that, the best reject.

        A configuration fault is raised at once: it has to be put right by a person. Raises
        AudioProcessingError when no tier gave any output; its ``falls`` say why.
        """
        return run(self._climb(args, kwargs))

    async def climb_async(self, *args: Any, **kwargs: Any) -> LadderResult:
        """``climb`` for tiers and gates that may be asynchronous."""
        return await run_async(self._climb(args, kwargs))

    def _climb(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Steps[LadderResult]:
        falls: list[Fall] = []
        best: LadderResult | None = None
        for tier in self.tiers:
            gate = tier.gate or self._gate
            try:
                output = yield partial(tier.work, *args, **kwargs)
                judgement = None
                if gate is not None:
                    judgement = _judgement((yield partial(gate, output, *args, **kwargs)))
            except Exception as raised:  # whatever it is, the next tier may do better
                error = raised
            else:
                passed = judgement is None or judgement.accepted
                result = LadderResult(output, tier.name, passed, judgement, tuple(falls))
                if judgement is None or judgement.accepted:
                    return result
                best = _better(best, result)
                error = QualityThresholdError(
                    judgement.score, judgement.threshold, message=judgement.reason or None
                )
            fault = classify(error)
            if fault is FaultClass.CONFIGURATION:
                raise error
            falls.append(Fall(tier.name, type(error).__qualname__, str(error), fault))
            for tell in self._listeners:
                tell(tier.name, error)
            last = error
            del error
        if best is not None:
            return LadderResult(
                best.output, best.tier, accepted=False, judgement=best.judgement, falls=tuple(falls)
            )
        raise _nothing_worked(falls) from last


def _judgement(verdict: Judgement | bool) -> Judgement:  # noqa: FBT001 - a gate may be that simple
    return verdict if isinstance(verdict, Judgement) else Judgement(accepted=bool(verdict))


def _better(best: LadderResult | None, other: LadderResult) -> LadderResult:
    """The one with the higher score; of equals, and where there is no score, the earlier."""
    if best is None:
        return other
    return other if _score(other) > _score(best) else best


def _score(result: LadderResult) -> float:
    judgement = result.judgement
    return float("-inf") if judgement is None or judgement.score is None else judgement.score


def _nothing_worked(falls: list[Fall]) -> AudioProcessingError:
    why = "; ".join(f"{fall.tier}: {fall.message or fall.error_type}" for fall in falls)
    error = AudioProcessingError(f"every tier failed ({why})", falls=tuple(falls))
    error.fault_class = most_urgent(fall.fault_class for fall in falls)  # type: ignore[misc]  # of this one
    return error
