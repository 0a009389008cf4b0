"""Strategies, found by name or by the error they are for.

A strategy is ``f(error, context) -> output``. Some names have a meaning of their own, because
whose fault an error is decides who acts on it (see ``REMEDIES``); any other name may be used too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any, TypeAlias, TypeVar

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.context import current_context
from tenuto.errors import FaultClass, classify
from tenuto.errors.hierarchy import LOCAL_PREFIX
from tenuto.machines import Intensity

from .drive import Steps, run, run_async
from .result import RecoveryReason, RecoveryResult

__all__ = ["REMEDIES", "RecoveryManager", "Strategy", "hold_context"]

Strategy: TypeAlias = Callable[[BaseException, Mapping[str, Any]], Any]
_S = TypeVar("_S", bound=Strategy)

REMEDIES: Mapping[FaultClass, tuple[str, ...]] = {
    FaultClass.DATA: ("quarantine", "fallback"),
    FaultClass.QUALITY: ("degrade", "fallback"),
    FaultClass.RESOURCE: ("shrink", "degrade", "fallback"),
    FaultClass.INFRASTRUCTURE: ("retry", "fallback", "degrade"),
    FaultClass.CONFIGURATION: ("escalate",),
    FaultClass.BUG: ("escalate",),
    FaultClass.CANCELLED: (),
}
"""For each fault class the strategies to look for, best first, when none is asked for."""

_CONTEXT = f"{LOCAL_PREFIX}context__"
_AT_WORK = f"{LOCAL_PREFIX}strategies__"


def hold_context(error: BaseException, context: Mapping[str, Any]) -> None:
    """Keep ``context``, as it is, on ``error`` for the strategies that may be asked to help."""
    with suppress(Exception):  # an exception that refuses attributes is recovered without one
        setattr(error, _CONTEXT, context)


class RecoveryManager:
    """Finds the strategy for an error, runs it, and passes upward what cannot be remedied here.

    ``max_failures`` failures of one strategy within ``period`` seconds are borne; the next one
    escalates (the restart intensity of Erlang/OTP's supervisors). For another ``period`` the
    strategy rests; every error that would have gone to it goes to the strategy ``escalate``,
    where one is registered, and to ``on_escalation``.
    """

    def __init__(
        self,
        *,
        max_failures: int = 5,
        period: float = 60.0,
        on_escalation: Callable[[str, BaseException], None] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._strategies: dict[str, list[tuple[tuple[type[BaseException], ...], Strategy]]] = {}
        self._max_failures = max_failures
        self._period = period
        self._intensities: dict[str, Intensity] = {}
        self._rests_until: dict[str, float] = {}
        self._lock = Lock()
        self._clock = clock
        self.on_escalation = on_escalation
        self.failed_escalations = 0
        """How many times telling those above has itself failed."""

    def register(
        self,
        name: str,
        strategy: Strategy | None = None,
        *,
        errors: type[BaseException] | tuple[type[BaseException], ...] = BaseException,
    ) -> Any:
        """Register ``strategy`` under ``name``, for ``errors`` of these types only.

        One name may have several strategies, for different types: the one for the nearest base of
        an error is taken, of equals the newest. A strategy registered for particular types is also
        found for them when no name is asked for. Without ``strategy`` this is a decorator.
        """
        if strategy is None:

            def decorate(function: _S) -> _S:
                self.register(name, function, errors=errors)
                return function

            return decorate
        types = errors if isinstance(errors, tuple) else (errors,)
        with self._lock:
            # A new list: readers go through the old one without a lock.
            self._strategies[name] = [(types, strategy), *self._strategies.get(name, [])]
        return strategy

    @property
    def strategies(self) -> tuple[str, ...]:
        """The names something is registered under."""
        return tuple(self._strategies)

    def recover(
        self,
        error: BaseException,
        strategy: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> RecoveryResult:
        """Try to make good for ``error``. Never raises, but lets an interruption through.

        ``strategy`` is a name, or None to choose by the type of the error and then by whose fault
        it is. The strategy is handed ``context`` as it is; without one, the context that
        ``handle_error`` was given for this error; without that, the scope's.
        """
        return run(self._recovery(error, strategy, context))

    async def recover_async(
        self,
        error: BaseException,
        strategy: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> RecoveryResult:
        """``recover`` for strategies that may be asynchronous; plain ones work too."""
        return await run_async(self._recovery(error, strategy, context))

    def _recovery(
        self, error: BaseException, wanted: str | None, given: Mapping[str, Any] | None
    ) -> Steps[RecoveryResult]:
        started = self._clock.monotonic()

        def end(reason: RecoveryReason, standing: BaseException | None = None) -> RecoveryResult:
            took = self._clock.monotonic() - started
            return RecoveryResult(
                success=False,
                output=None,
                strategy=name,
                error=standing,
                duration=took,
                reason=reason,
            )

        name, strategy = self._by_name(error, wanted) if wanted else self._by_error(error)
        if name is None or strategy is None:
            return end(RecoveryReason.NO_STRATEGY, error)
        if self._rests(name):
            yield from self._escalation(name, error)
            return end(RecoveryReason.ESCALATED, error)
        context = _context_of(error, given)
        with _at_work(error, name) as free:
            if not free:
                return end(RecoveryReason.LOOP, error)
            try:
                output = yield lambda: strategy(error, context)
            except Exception as raised:  # a remedy that fails is a result, not a new problem
                failure = raised
            else:
                return RecoveryResult(
                    success=True,
                    output=output,
                    strategy=name,
                    error=None,
                    duration=self._clock.monotonic() - started,
                    reason=RecoveryReason.RECOVERED,
                )
        if self._failed_too_often(name):
            yield from self._escalation(name, error)
            return end(RecoveryReason.ESCALATED, failure)
        return end(RecoveryReason.STRATEGY_FAILED, failure)

    def _by_name(self, error: BaseException, name: str) -> tuple[str, Strategy | None]:
        nearest = min(
            self._strategies.get(name, ()),
            key=lambda entry: _distance(error, entry[0]),
            default=None,
        )
        if nearest is None or _distance(error, nearest[0]) == _NOT_FOR_IT:
            return name, None
        return name, nearest[1]

    def _by_error(self, error: BaseException) -> tuple[str | None, Strategy | None]:
        for_its_type = [
            (distance, name, strategy)
            for name, entries in list(self._strategies.items())
            for types, strategy in entries
            if types != (BaseException,) and (distance := _distance(error, types)) != _NOT_FOR_IT
        ]
        if for_its_type:
            _, name, strategy = min(for_its_type, key=lambda found: found[0])
            return name, strategy
        for remedy in REMEDIES[classify(error)]:
            _, found = self._by_name(error, remedy)
            if found is not None:
                return remedy, found
        return None, None

    def _failed_too_often(self, name: str) -> bool:
        if name == "escalate":  # there is nobody further up
            return False
        now = self._clock.monotonic()
        with self._lock:
            intensity = self._intensities.get(name)
            if intensity is None:
                intensity = Intensity(self._max_failures, self._period)
                self._intensities[name] = intensity
            if exceeded := intensity.on(now):
                self._rests_until[name] = now + self._period
            return exceeded

    def _rests(self, name: str) -> bool:
        return self._clock.monotonic() < self._rests_until.get(name, -math.inf)

    def _escalation(self, name: str, error: BaseException) -> Steps[None]:
        """Tell those above. What they return is no remedy, and what they raise is only counted."""
        _, above = self._by_name(error, "escalate")
        tell = [lambda: above(error, _context_of(error, None))] if above is not None else []
        if (hook := self.on_escalation) is not None:
            tell.append(lambda: hook(name, error))
        for call in tell:
            try:
                yield call
            except Exception:  # a broken alarm must not hide the fire
                self.failed_escalations += 1


_NOT_FOR_IT = 1 << 30


def _distance(error: BaseException, types: tuple[type[BaseException], ...]) -> int:
    """How far up the bases of ``error`` the nearest of ``types`` is."""
    bases = type(error).__mro__
    return min((bases.index(t) for t in types if t in bases), default=_NOT_FOR_IT)


def _context_of(error: BaseException, given: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if given is not None:
        return given
    held: Mapping[str, Any] | None = getattr(error, _CONTEXT, None)
    return current_context() if held is None else held


@contextmanager
def _at_work(error: BaseException, name: str) -> Iterator[bool]:
    """Whether ``name`` may set to work on ``error``; a strategy must not call itself for ever."""
    busy: set[str] = error.__dict__.setdefault(_AT_WORK, set())
    if name in busy:
        yield False
        return
    busy.add(name)
    try:
        yield True
    finally:
        busy.discard(name)
