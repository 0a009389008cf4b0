"""``CircuitBreaker``: stop calling what keeps failing, and find out when it is back."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import ConfigurationError
from tenuto.machines import BreakerSettings, Event, Permit, State

from .engine.circuit import Circuit
from .engine.guard import protect
from .engine.outcome import Outcome
from .events import EventKind, Listener
from .rules import Exceptions, Matcher, check_number, matcher

__all__ = ["CircuitBreaker"]

P = ParamSpec("P")
R = TypeVar("R")

# The permits of the ``with`` blocks this thread or task is in, innermost last.
_entered: ContextVar[tuple[tuple[Circuit, Permit], ...]] = ContextVar(
    "tenuto_circuits_entered", default=()
)


@dataclass(frozen=True)
class CircuitBreaker:
    """A circuit, opened by ``failure_threshold`` failures in a row or by a failure rate.

    Use it as a decorator, of any kind of function, or as ``with breaker:``. Everything guarded by
    one object shares one circuit. While it is open, calls are refused with ``CircuitOpenError``,
    or answered by ``fallback``; the guarded function is not called.

    Failures are, by default, what ``classify`` calls infrastructure or resource, and errors
    nobody knows. Other errors are answers: the dependency is alive. Cancellations and the
    refusals of other breakers count as nothing.

    Raises ConfigurationError when it is built with settings that make no sense.
    """

    name: str | None = None
    """The dependency's name, for errors and events; the guarded function's by default."""
    failure_threshold: int | None = 5
    """Failures in a row that open the circuit; None: only the rate does."""
    timeout: float = 60.0
    """Seconds the circuit stays open before a probe is let through."""
    _: KW_ONLY
    fallback: Callable[..., Any] | None = None
    """Called with the same arguments in place of a call that is refused."""
    exceptions: Exceptions = None
    """What counts as a failure: a type, a tuple of types, or a function of the error."""
    half_open_permits: int = 1
    """Probes of a half-open circuit, in total and at once. All must succeed to close it."""
    max_timeout: float | None = None
    """The open time doubles with every failed probe, to this many seconds at most; by default
    ten times ``timeout``."""
    failure_rate: float | None = None
    """The share of failed calls, from 0 to 1, that opens the circuit."""
    window: int | timedelta = 100
    """What the rate is measured over: a number of calls, or a length of time."""
    minimum_calls: int = 10
    """Calls the window must hold before the rate counts."""
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)
    on_event: Listener | None = field(default=None, repr=False)

    settings: BreakerSettings = field(init=False, repr=False, compare=False)
    matches: Matcher | None = field(init=False, repr=False, compare=False)
    circuit: Circuit = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check()
        window = self.window
        settings = BreakerSettings(
            failure_threshold=self.failure_threshold,
            timeout=self.timeout,
            max_timeout=10 * self.timeout if self.max_timeout is None else self.max_timeout,
            permits=self.half_open_permits,
            failure_rate=self.failure_rate,
            window_calls=window if isinstance(window, int) else None,
            window_seconds=None if isinstance(window, int) else window.total_seconds(),
            minimum_calls=self.minimum_calls,
        )
        object.__setattr__(self, "settings", settings)
        object.__setattr__(self, "matches", matcher("exceptions", self.exceptions))
        object.__setattr__(self, "circuit", Circuit(self))

    def __str__(self) -> str:
        limits = []
        if self.failure_threshold is not None:
            limits.append(f"{self.failure_threshold} failures in a row")
        if self.failure_rate is not None:
            span = f"{self.window} calls" if isinstance(self.window, int) else f"{self.window}"
            limits.append(f"{self.failure_rate:.0%} of {span}")
        what = f"{self.name}: " if self.name else ""
        return f"CircuitBreaker({what}{' or '.join(limits)}, open for {self.timeout:g} s)"

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return protect(function, circuit=self.circuit)

    def __enter__(self) -> None:
        permit, starts_probing = self.circuit.admit()
        if permit is None:
            raise self.circuit.refusal("circuit breaker")
        _entered.set((*_entered.get(), (self.circuit, permit)))
        if starts_probing:
            self.circuit.announce(EventKind.PROBING, "circuit breaker")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        entered = _entered.get()
        # Blocks in interleaved generators do not end innermost first.
        mine = [i for i, (circuit, _) in enumerate(entered) if circuit is self.circuit]
        if not mine:
            return  # an async generator closed by another task: its permit is out of sight
        _entered.set(entered[: mine[-1]] + entered[mine[-1] + 1 :])
        self.circuit.settle(entered[mine[-1]][1], Outcome(error=error), "circuit breaker")

    @property
    def state(self) -> State:
        """The state the next call would meet."""
        return self.circuit.state

    def force_open(self) -> None:
        """Refuse every call until ``force_closed`` or ``reset``."""
        self.circuit.command(Event.FORCE_OPEN)

    def force_closed(self) -> None:
        """Let every call through, and count nothing, until ``force_open`` or ``reset``."""
        self.circuit.command(Event.FORCE_CLOSED)

    def reset(self) -> None:
        """Close the circuit and forget what was counted."""
        self.circuit.command(Event.RESET)

    def _check(self) -> None:
        if self.failure_threshold is None and self.failure_rate is None:
            raise ConfigurationError("failure_threshold", "give it, or failure_rate, or both")
        if self.failure_threshold is not None:
            check_number("failure_threshold", self.failure_threshold, least=1, whole=True)
        check_number("timeout", self.timeout, least=0.0)
        check_number("half_open_permits", self.half_open_permits, least=1, whole=True)
        check_number("minimum_calls", self.minimum_calls, least=1, whole=True)
        if self.max_timeout is not None:
            check_number("max_timeout", self.max_timeout, least=self.timeout)
        if self.fallback is not None and not callable(self.fallback):
            raise ConfigurationError("fallback", "give a function of the same arguments")
        if self.failure_rate is not None:
            check_number("failure_rate", self.failure_rate, least=0.0, most=1.0)
            self._check_window()

    def _check_window(self) -> None:
        if isinstance(self.window, timedelta):
            if self.window <= timedelta(0):
                raise ConfigurationError("window", "give a length of time that is not zero")
            return
        check_number("window", self.window, least=1, whole=True)
        if self.minimum_calls > self.window:
            raise ConfigurationError(
                "minimum_calls", f"a window of {self.window} calls never holds that many"
            )
