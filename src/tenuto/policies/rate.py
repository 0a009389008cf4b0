"""``RateLimit``: so many calls in so much time, one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from threading import RLock
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import ConfigurationError, RateLimitedError, RefusedError, classify
from tenuto.machines import Bucket
from tenuto.state import Share
from tenuto.state import State as Fleet

from .deadline import time_left
from .engine.drive import drive, drive_async
from .engine.gates import gated
from .engine.outcome import Outcome
from .engine.steps import Steps
from .events import EventKind, Listener, PolicyEvent, announce, hook_failed
from .rules import check_number, check_same_fleet

__all__ = ["RateLimit"]

P = ParamSpec("P")
R = TypeVar("R")

_MOST = 1e9  # a second, or seconds: beyond it there is no rate to keep, or no wait to sit out
_KIND = "rate limit"


@dataclass(frozen=True)
class RateLimit:
    """At most ``calls`` per ``per`` seconds, evenly, after bursts of at most ``burst``.

    Use it as a decorator, of any kind of function, or as ``with limit:`` or ``async with limit:``.
    Everything guarded by one object shares one rate. A call over the rate waits for its turn, if
    that comes within ``max_wait`` seconds and before any outer ``deadline``; else it is refused at
    once with ``RateLimitedError``, which says when there will be room.

    Calls that start in any ``T`` seconds cost at most ``burst + T * calls / per``. Turns are given
    in the order of the calls, and kept: whoever stops waiting frees room for calls yet to come.

    Raises ConfigurationError when it is built with settings that make no sense.
    """

    calls: float
    """How many, or how much ``cost``, in ``per`` seconds."""
    per: float = 1.0
    """In seconds."""
    name: str | None = None
    """What is called, for errors and events; the guarded function's name by default."""
    _: KW_ONLY
    burst: float | None = None
    """How many, or how much ``cost``, may start at once; ``calls`` by default, and at least 1."""
    max_wait: float = 0.0
    """The longest wait for a turn, in seconds."""
    cost: Callable[..., float] | None = None
    """A function of the call's arguments: what it costs, such as seconds of audio; 1 by default.
    A call that costs more than ``burst`` is always refused."""
    fleet: Fleet | None = field(default=None, repr=False, compare=False)
    """Where the rate is shared with those of other processes that have its name: what
    ``open_state(url)`` gives. ``calls`` is for all together, and each goes by its share."""
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)
    on_event: Listener | None = field(default=None, repr=False)

    _gate: _Gate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for setting in ("calls", "per"):
            value = getattr(self, setting)
            check_number(setting, value, least=0.0, most=_MOST)
            if value == 0:
                raise ConfigurationError(setting, "give a number above 0")
        if self.cost is not None and not callable(self.cost):
            raise ConfigurationError("cost", "give a function of the call's arguments")
        if self.burst is not None:  # less than one call never fits
            least = 1.0 if self.cost is None else 0.0
            check_number("burst", self.burst, least=least, most=_MOST)
        check_number("max_wait", self.max_wait, least=0.0, most=_MOST)
        if self.fleet is None:
            object.__setattr__(self, "_gate", _Gate(self))
        elif self.name is None:
            raise ConfigurationError("name", "a fleet finds the limit by it: give one")
        else:
            shared = _SharedGate(self, self.fleet, self.name)
            object.__setattr__(self, "_gate", shared)
            shared.share.join()

    def __str__(self) -> str:
        what = f"{self.name}: " if self.name else ""
        per = "second" if self.per == 1 else f"{self.per:g} s"
        burst = "" if self.burst is None else f", {self.burst:g} at once"
        wait = f", waits up to {self.max_wait:g} s" if self.max_wait else ""
        return f"RateLimit({what}{self.calls:g} per {per}{burst}{wait})"

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return gated(function, self._gate, self.name)

    def __enter__(self) -> None:
        drive(self._gate.block(), self.clock, (), {}).unwrap()

    async def __aenter__(self) -> None:
        (await drive_async(self._gate.block(), self.clock, (), {})).unwrap()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """What a call has cost is not given back, however it ends."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """What a call has cost is not given back, however it ends."""

    @property
    def share(self) -> float:
        """The part of the rate that this process goes by; 1 without a fleet."""
        return self._gate.part

    def reconfigure(self, **settings: Any) -> None:
        """Go by other settings from the next call on; turns that were given stay as they are."""
        if "clock" in settings:
            raise ConfigurationError("clock", "it cannot be changed while calls wait on it")
        check_same_fleet(self.fleet, settings)
        changed = replace(self, fleet=None, **settings)
        for setting in settings:
            object.__setattr__(self, setting, getattr(changed, setting))
        self._gate.retune()


class _Gate:
    """What all calls under one ``RateLimit`` share.

    The lock is held for the bucket's arithmetic only. It is re-entrant: the collector may end an
    abandoned call that waits, in a thread that holds the lock.
    """

    __slots__ = ("_bucket", "_lock", "_monotonic", "clock", "terms")

    def __init__(self, terms: RateLimit) -> None:
        self.terms = terms
        self.clock = terms.clock
        self._monotonic = terms.clock.monotonic
        self._lock = RLock()
        self._bucket = Bucket(terms.calls, terms.per, _burst(terms))

    @property
    def part(self) -> float:
        """How much of the rate is this process's."""
        return 1.0

    def admit(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object | None:
        cost = 1.0 if self.terms.cost is None else self._price(args, kwargs)
        now = self._monotonic()
        with self._lock:
            return self._bucket.take(now, cost) or None

    def enter(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Generator[float, Any, object]:
        cost = self._price(args, kwargs)
        longest, left = self.terms.max_wait, time_left()
        now = self._monotonic()
        with self._lock:
            wait = self._bucket.wait(now, cost)
            in_time = wait == 0.0 or (wait <= longest and (left is None or wait < left))
            turn = self._bucket.reserve(now, cost) if in_time else None
        if wait > 0.0:
            self.fall_short()
        if turn is None:
            return self._refusal(name, wait, cost)
        if wait > 0.0:
            try:
                self._tell(EventKind.DELAYED, name, wait)
                yield wait
            except BaseException:  # interrupted, cancelled or dropped: somebody else can have it
                now = self._monotonic()
                with self._lock:
                    self._bucket.cancel(turn, now)
                raise
        return turn

    def fall_short(self) -> None:
        """A call has to wait, or is refused."""

    def settle(self, permit: object, error: BaseException | None, name: str) -> None:
        """Nothing is given back: a call that was made was made, however it ended."""

    def block(self) -> Steps:
        """The way into a ``with`` block."""
        if self.terms.cost is not None:
            raise ConfigurationError("cost", "a block has no arguments: guard a function")
        turn = yield from self.enter(_KIND, (), {})
        return Outcome(error=turn) if isinstance(turn, RefusedError) else Outcome()

    def retune(self) -> None:
        with self._lock:  # which settings and which share are the last
            terms, part, now = self.terms, self.part, self._monotonic()
            burst = _burst(terms)
            if terms.cost is None:
                burst = max(1.0, burst * part)  # else no call would ever fit
            self._bucket.retune(terms.calls * part, terms.per, burst, now)

    def _price(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> float:
        if self.terms.cost is None:
            return 1.0
        try:
            cost = float(self.terms.cost(*args, **kwargs))
        except Exception as broken:  # a rule's bug must not cost the user the call
            hook_failed(broken)
            return 1.0
        if cost >= 0.0:
            return cost
        hook_failed(ValueError(f"a call cannot cost {cost}"))
        return 1.0

    def _refusal(self, name: str, wait: float, cost: float) -> RateLimitedError:
        """The error for a call that has no turn: a new one each time."""
        name = self.terms.name or name
        if wait < math.inf:
            refusal = RateLimitedError(service=name, retry_after=wait)
        else:
            refusal = RateLimitedError(
                message=f"{name} was not called: it costs {cost:g}, and never are more than "
                f"{_burst(self.terms):g} let through at once",
                service=name,
                passes_soon=False,
            )
        self._tell(EventKind.REFUSED, name, refusal.retry_after, refusal)
        return refusal

    def _tell(
        self,
        kind: EventKind,
        name: str,
        wait: float | None,
        refusal: RateLimitedError | None = None,
    ) -> None:
        if self.terms.on_event is None:
            return
        event = PolicyEvent(
            kind,
            _KIND,
            self.terms.name or name,
            error=refusal,
            fault_class=None if refusal is None else classify(refusal),
            wait=wait,
            reason=None if refusal is None else refusal.reason,
        )
        announce(self.terms.on_event, event)


class _SharedGate(_Gate):
    """The gate of a rate that a fleet shares: it counts how much is wanted, and goes by a part."""

    __slots__ = ("_asked", "share", "units")

    def __init__(self, terms: RateLimit, fleet: Fleet, name: str) -> None:
        super().__init__(terms)
        self._asked = 0.0
        """What the calls have cost since the others were told, those that were refused as well."""
        self.units = 0
        self.share = Share(fleet, "rate", name, self, terms.clock)

    @property
    def part(self) -> float:
        return self.share.part

    def admit(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object | None:
        cost = 1.0 if self.terms.cost is None else self._price(args, kwargs)
        now = self._monotonic()
        with self._lock:
            self._asked += cost
            return self._bucket.take(now, cost) or None

    def fall_short(self) -> None:
        self.share.want()

    def block(self) -> Steps:
        with self._lock:
            self._asked += 1.0
        return (yield from super().block())

    def wanted(self, seconds: float) -> float:
        with self._lock:
            asked, self._asked = self._asked, 0.0
        return asked / seconds * self.terms.per / self.terms.calls

    def go_by(self, share: float) -> None:  # noqa: ARG002  # it is the part by now
        self.retune()


def _burst(terms: RateLimit) -> float:
    if terms.burst is not None:
        return terms.burst
    return max(1.0, terms.calls) if terms.cost is None else terms.calls
