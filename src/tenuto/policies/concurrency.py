"""``ConcurrencyLimit``: so many calls at once as do any good, which it finds out by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import KW_ONLY, dataclass, field, replace
from types import TracebackType
from typing import Any, ClassVar, Literal, ParamSpec, TypeVar

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import (
    ConcurrencyLimitError,
    ConfigurationError,
    FaultClass,
    RefusedError,
    classify,
)
from tenuto.machines import Aimd, Gradient, Limiter, LimitSettings, Round

from .engine.drive import drive, drive_async
from .engine.gates import gated
from .engine.lineage import is_neutral, is_refusal
from .engine.queue import LONGEST_WAIT, Args, Kwargs, QueuedGate
from .events import EventKind, Listener, hook_failed
from .rules import Exceptions, Matcher, check_number, matcher

__all__ = ["ConcurrencyLimit"]

P = ParamSpec("P")
R = TypeVar("R")

_ALGORITHMS: Mapping[str, type[Limiter]] = {"gradient": Gradient, "aimd": Aimd}
_MOST = 1_000_000  # places: each takes a few bytes
_TELL_EVERY = 1.0  # seconds: how often a limit that changes is told of, at most


@dataclass(frozen=True)
class ConcurrencyLimit:
    """As many calls at once as what is called can do with; the number follows from how they go.

    Use it as a decorator, of any kind of function, or as ``with limit:`` or ``async with limit:``.
    Everything guarded by one object shares one limit.

    - ``"gradient"`` grows while calls take about as long as they do without load, and shrinks while
      they take longer, since then they wait for each other. It settles where calls take a little
      more than ``tolerance`` times as long as without load. After Netflix's ``Gradient2Limit``.
    - ``"aimd"`` does not look at latency: it grows by one after a round of calls that went well.
      For what says so when it is overloaded. After TCP: additive increase, multiplicative decrease.

    Both shrink by three tenths where a call meets overload. Calls that leave half of the limit
    unused do not move it, and what is refused, cancelled or fails otherwise teaches nothing.

    Places, queue and refusals are as with ``Bulkhead``; the error is ``ConcurrencyLimitError``.

    Raises ConfigurationError when it is built with settings that make no sense.
    """

    initial: int = 20
    """The limit at first, if ``minimum`` and ``maximum`` allow it; else the nearest they do."""
    minimum: int = 1
    """The limit at least: it never closes altogether."""
    maximum: int = 200
    """The limit at most."""
    algorithm: Literal["gradient", "aimd"] = "gradient"
    """What moves the limit."""
    queue: int = 0
    """Calls that wait, at most."""
    max_wait: float | None = None
    """The longest wait, in seconds; None: as long as it takes."""
    name: str | None = None
    """What is called, for errors and events; the guarded function's name by default."""
    _: KW_ONLY
    tolerance: float = 1.5
    """``"gradient"``: how many times the latency without load is taken for normal. More where the
    calls of one kind differ much from each other."""
    exceptions: Exceptions = None
    """What tells of overload: a type, a tuple of types, or a function of the error. By default
    every ``TimeoutError``, and what ``classify`` calls resource."""
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)
    on_event: Listener | None = field(default=None, repr=False)

    matches: Matcher | None = field(init=False, repr=False, compare=False)
    _gate: _Gate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_number("minimum", self.minimum, least=1, most=_MOST, whole=True)
        check_number("maximum", self.maximum, least=self.minimum, most=_MOST, whole=True)
        check_number("initial", self.initial, least=1, whole=True)
        if self.algorithm not in _ALGORITHMS:
            names = " or ".join(map(repr, _ALGORITHMS))
            raise ConfigurationError("algorithm", f"give {names}, not {self.algorithm!r}")
        check_number("queue", self.queue, least=0, whole=True)
        if self.max_wait is not None:
            check_number("max_wait", self.max_wait, least=0.0, most=LONGEST_WAIT)
        check_number("tolerance", self.tolerance, least=1.0)
        object.__setattr__(self, "matches", matcher("exceptions", self.exceptions))
        object.__setattr__(self, "_gate", _Gate(self))

    def __str__(self) -> str:
        what = f"{self.name}: " if self.name else ""
        wait = "" if self.max_wait is None else f" for up to {self.max_wait:g} s"
        queue = f", {self.queue} more wait{wait}" if self.queue else ""
        span = f"{self.minimum} to {self.maximum}"
        return f"ConcurrencyLimit({what}{span} at once, by {self.algorithm}{queue})"

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return gated(function, self._gate, self.name)

    def __enter__(self) -> None:
        self._gate.remember(drive(self._gate.block(), self.clock, (), {}).unwrap())

    async def __aenter__(self) -> None:
        self._gate.remember((await drive_async(self._gate.block(), self.clock, (), {})).unwrap())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._gate.leave(error)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._gate.leave(error)

    @property
    def limit(self) -> int:
        """How many calls there may be at once, just now."""
        return self._gate.places.limit

    @property
    def inside(self) -> int:
        """How many calls are under way; more than the limit, for a while after that has shrunk."""
        return self._gate.places.taken

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._gate.places.queue)

    def reconfigure(self, **settings: Any) -> None:
        """Go by other settings from now on. The limit stays where it is, if it may be there."""
        for setting in ("clock", "algorithm"):
            if setting in settings:
                raise ConfigurationError(setting, "it cannot be changed while calls are under way")
        changed = replace(self, **settings)
        for setting in (*settings, "matches"):
            object.__setattr__(self, setting, getattr(changed, setting))
        self._gate.retune()


_Permit = tuple[Round, float]  # what the call is part of, and when it began

# The permits of the ``with`` blocks this thread or task is in, innermost last.
_entered: ContextVar[tuple[tuple[object, _Permit], ...]] = ContextVar(
    "tenuto_limits_entered", default=()
)


class _Gate(QueuedGate):
    """The places, and the limiter that says how many there are."""

    __slots__ = ("_limiter", "_monotonic", "_policy", "_told", "_told_at")

    kind: ClassVar[str] = "concurrency limit"
    refusal: ClassVar[type[RefusedError]] = ConcurrencyLimitError

    def __init__(self, policy: ConcurrencyLimit) -> None:
        initial = min(max(policy.initial, policy.minimum), policy.maximum)
        super().__init__(policy, initial)
        self._policy = policy
        self._monotonic = policy.clock.monotonic
        self._limiter = _ALGORITHMS[policy.algorithm](_settings(policy), initial)
        self._told, self._told_at = initial, float("-inf")

    def admit(self, args: Args, kwargs: Kwargs) -> _Permit | None:  # noqa: ARG002  # no matter
        if self._queue or self.places.surplus:
            return None
        try:
            self._free.pop()
        except IndexError:
            return None
        return self._limiter.round, self._monotonic()

    def permit(self) -> _Permit:
        begun = self._limiter.round
        if self.places.surplus:  # the place was given to it before the limit was lowered
            begun = Round(begun.number - 1, self.places.limit)
        return begun, self._monotonic()

    def settle(self, permit: _Permit, error: BaseException | None, name: str) -> None:
        begun, since = permit
        if error is None:
            # What began before the limit was last set says nothing about it.
            if begun is self._limiter.round and begun.note(
                self._monotonic() - since, len(self._free)
            ):
                self._learn(self._limiter.turn, begun, name)
        elif self._is_overload(error):
            self._learn(self._limiter.drop, begun, name)
        self._free.append(True)
        if self._queue or self.places.surplus:
            self._hand_out()

    def remember(self, permit: _Permit) -> None:
        """A ``with`` block begins."""
        _entered.set((*_entered.get(), (self, permit)))

    def leave(self, error: BaseException | None) -> None:
        """A ``with`` block ends."""
        entered = _entered.get()
        # Blocks in interleaved generators do not end innermost first.
        mine = [i for i, (gate, _) in enumerate(entered) if gate is self]
        if not mine:  # an async generator closed by another task: its permit is out of sight
            self.release()
            return
        _entered.set(entered[: mine[-1]] + entered[mine[-1] + 1 :])
        self.settle(entered[mine[-1]][1], error, self.kind)

    def retry_after(self) -> float | None:
        """Little's law: a place is free ``limit`` times in the time that a call takes."""
        latency = self._limiter.latency
        if latency is None:
            return None
        return latency * (len(self._queue) + 1) / self.places.limit

    def retune(self) -> None:
        with self._lock:
            self._limiter.retune(_settings(self._policy))
        self.resize(self._limiter.limit)

    def _learn(self, lesson: Callable[[Round], None], begun: Round, name: str) -> None:
        with self._lock:
            lesson(begun)
            limit = self._limiter.limit
            lucky = [] if limit == self.places.limit else self.places.resize(limit)
            now = self._monotonic()
            tell = limit != self._told and now - self._told_at >= _TELL_EVERY
            if tell:
                self._told, self._told_at = limit, now
        self._tell_lucky(lucky)
        if tell:
            self.announce(EventKind.LIMIT_CHANGED, name)

    def _is_overload(self, error: BaseException) -> bool:
        fault = classify(error, FaultClass.INFRASTRUCTURE)
        if is_neutral(error, fault) or is_refusal(error):
            return False
        matches = self._policy.matches
        try:
            if matches is not None:
                return bool(matches(error))
        except Exception as broken:  # a rule's bug must not replace the user's own error
            hook_failed(broken)
            return False
        return isinstance(error, TimeoutError) or fault is FaultClass.RESOURCE


def _settings(policy: ConcurrencyLimit) -> LimitSettings:
    return LimitSettings(policy.minimum, policy.maximum, policy.tolerance)
