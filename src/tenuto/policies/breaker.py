"""``CircuitBreaker``: stop calling what keeps failing or is slow, and find out when it is back."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import timedelta
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import ConfigurationError
from tenuto.machines import BreakerSettings, Event, State
from tenuto.state import State as Fleet

from .engine.circuit import Circuit
from .engine.contracts import Call
from .engine.drive import finish
from .engine.family import CircuitFamily
from .engine.guard import protect
from .engine.held import Held
from .engine.memory import CircuitMemory
from .engine.outcome import Outcome
from .events import Listener
from .rules import Exceptions, Matcher, check_number, matcher

__all__ = ["CircuitBreaker"]

P = ParamSpec("P")
R = TypeVar("R")

_BLOCK = "circuit breaker"
_FIXED = {"name", "key", "max_keys", "fleet", "clock"}
_KNOWN_TO_PATHS = {"fallback", "on_event", "shadow"}

# The ``with`` blocks this thread or task is in, innermost last.
_entered: ContextVar[tuple[tuple[Circuit, Held], ...]] = ContextVar(
    "tenuto_circuits_entered", default=()
)


@dataclass(frozen=True)
class CircuitBreaker:
    """A circuit, opened by failures in a row, by their share of a window, or by that of slow calls.

    Use it as a decorator, of any kind of function, or as ``with breaker:``. Everything guarded by
    one object shares one circuit, or with ``key`` one for each key. While it is open, calls are
    refused with ``CircuitOpenError``, or answered by ``fallback``; the guarded function is not
    called.

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
    slow_after: float | Callable[[Call], float] | None = None
    """Seconds after which a call is slow; or a function of the ``Call``, with its ``args`` and
    ``kwargs``, so that an hour of audio may take longer than a second of it. A call that has not
    ended by then counts at once, and a probe that is slow has failed."""
    slow_rate: float = 0.5
    """The share of slow calls, from 0 to 1, that opens the circuit, where ``slow_after`` is
    given."""
    window: int | timedelta = 100
    """What the rates are measured over: a number of calls, or a length of time."""
    minimum_calls: int = 10
    """Calls the window must hold before a rate counts."""
    shadow: bool = False
    """Measure, tell what it would have done, and refuse nothing."""
    key: Callable[[Call], Hashable] | None = None
    """What tells calls apart, such as ``lambda call: call.args[0].host``: each key has a circuit
    of its own."""
    max_keys: int = 1000
    """Circuits at most. The one not used for longest goes first, closed ones before others."""
    fleet: Fleet | None = field(default=None, repr=False, compare=False)
    """Where the circuit is shared with those of other processes that have its name: what
    ``open_state(url)`` gives. What one finds out, all know; ``half_open_permits`` are for all
    together."""
    quorum: float = 1
    """How many processes have to trip, each by itself, to open the circuit for all of the fleet;
    below 1, which share of those that use it."""
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)
    on_event: Listener | None = field(default=None, repr=False)

    settings: BreakerSettings = field(init=False, repr=False, compare=False)
    matches: Matcher | None = field(init=False, repr=False, compare=False)
    circuits: CircuitFamily | None = field(init=False, repr=False, compare=False)
    """The circuits by key, where there are keys."""
    circuit: Circuit = field(init=False, repr=False, compare=False)
    """The only circuit; with keys, that of the calls whose key cannot be told."""

    def __post_init__(self) -> None:
        self._check()
        self._derive()
        family = None if self.key is None else CircuitFamily(self, self.key, self.max_keys)
        object.__setattr__(self, "circuits", family)
        object.__setattr__(self, "circuit", Circuit(self) if family is None else family.common)

    def _derive(self) -> None:
        window = self.window
        settings = BreakerSettings(
            failure_threshold=self.failure_threshold,
            timeout=self.timeout,
            max_timeout=10 * self.timeout if self.max_timeout is None else self.max_timeout,
            permits=self.half_open_permits,
            failure_rate=self.failure_rate,
            slow_rate=None if self.slow_after is None else self.slow_rate,
            window_calls=window if isinstance(window, int) else None,
            window_seconds=None if isinstance(window, int) else window.total_seconds(),
            minimum_calls=self.minimum_calls,
        )
        object.__setattr__(self, "settings", settings)
        object.__setattr__(self, "matches", matcher("exceptions", self.exceptions))

    def __str__(self) -> str:
        limits = []
        if self.failure_threshold is not None:
            limits.append(f"{self.failure_threshold} failures in a row")
        if self.failure_rate is not None:
            span = f"{self.window} calls" if isinstance(self.window, int) else f"{self.window}"
            limits.append(f"{self.failure_rate:.0%} of {span}")
        if self.slow_after is not None:
            after = "" if callable(self.slow_after) else f" than {self.slow_after:g} s"
            limits.append(f"{self.slow_rate:.0%} slower{after}")
        shadow = ", in shadow" if self.shadow else ""
        keys = ", one for each key" if self.key is not None else ""
        what = f"{self.name}: " if self.name else ""
        rest = f"open for {self.timeout:g} s{keys}{shadow}"
        return f"CircuitBreaker({what}{' or '.join(limits)}, {rest})"

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return protect(function, circuit=self.circuits or self.circuit)

    def __enter__(self) -> None:
        if self.circuits is not None:
            raise ConfigurationError("key", "a block has none: use `with breaker.at(key):`")
        self.at().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.at().__exit__(kind, error, traceback)

    def at(self, *key: Hashable) -> Block:
        """The circuit of ``key``, to be looked at, forced, or entered by ``with``.

        Without a key, the only one; or that of the calls whose key cannot be told.
        """
        return Block(self.circuits.at(*key) if self.circuits is not None and key else self.circuit)

    @property
    def state(self) -> State:
        """The state the next call would meet. With keys: see ``at``."""
        return self.circuit.state

    def force_open(self) -> None:
        """Refuse every call until ``force_closed`` or ``reset``; with keys, of all."""
        self._command(Event.FORCE_OPEN)

    def force_closed(self) -> None:
        """Let every call through, and count nothing, until ``force_open`` or ``reset``."""
        self._command(Event.FORCE_CLOSED)

    def reset(self) -> None:
        """Close the circuit and forget what was counted."""
        self._command(Event.RESET)

    def remember(self) -> CircuitMemory:
        """Where the circuit stands, for ``restore`` in another process. With keys: see ``at``."""
        return self.circuit.remember()

    def restore(self, memory: CircuitMemory, *, key: str | None = None) -> None:
        """Go on where a circuit in another process has stopped; nobody is told.

        That of a ``key``, in the words of names, goes on when the key is met for the first time.
        """
        if key is None:
            self.circuit.restore(memory)
        elif self.circuits is not None:
            self.circuits.expect(key, memory)

    def reconfigure(self, **settings: Any) -> None:
        """Go by other settings from the next call on; open circuits stay open.

        What was counted stays, as far as the windows allow. Raises ConfigurationError where the
        settings make no sense, or where it is one of ``name``, ``key``, ``max_keys``, ``fleet``
        and ``clock``, which others rely on; nothing has changed then.
        """
        if fixed := sorted(_FIXED & settings.keys()):
            raise ConfigurationError(fixed[0], "it cannot change while the breaker is in force")
        changed = replace(self, fleet=None, **settings)
        for name in settings:
            object.__setattr__(self, name, getattr(changed, name))
        self._derive()
        for circuit in self._all():
            circuit.reconfigure(renew=not _KNOWN_TO_PATHS.isdisjoint(settings))

    def _command(self, event: Event) -> None:
        if self.circuits is not None:
            self.circuits.forced = None if event is Event.RESET else event
        for circuit in self._all():
            circuit.command(event)

    def _all(self) -> list[Circuit]:
        return [self.circuit] if self.circuits is None else self.circuits.circuits()

    def _check(self) -> None:
        if self.failure_threshold is self.failure_rate is self.slow_after is None:
            raise ConfigurationError("failure_threshold", "give it, failure_rate or slow_after")
        if self.failure_threshold is not None:
            check_number("failure_threshold", self.failure_threshold, least=1, whole=True)
        check_number("timeout", self.timeout, least=0.0)
        check_number("half_open_permits", self.half_open_permits, least=1, whole=True)
        check_number("minimum_calls", self.minimum_calls, least=1, whole=True)
        if self.max_timeout is not None:
            check_number("max_timeout", self.max_timeout, least=self.timeout)
        if self.fallback is not None and not callable(self.fallback):
            raise ConfigurationError("fallback", "give a function of the same arguments")
        for setting in ("slow_after", "key"):
            if not _makes_sense(setting, getattr(self, setting)):
                raise ConfigurationError(setting, "give a function of the Call")
        check_number("slow_rate", self.slow_rate, least=0.0, most=1.0)
        check_number("max_keys", self.max_keys, least=1, whole=True)
        self._check_fleet()
        if self.failure_rate is not None:
            check_number("failure_rate", self.failure_rate, least=0.0, most=1.0)
        if self.failure_rate is not None or self.slow_after is not None:
            self._check_window()

    def _check_fleet(self) -> None:
        if self.fleet is not None and self.name is None:
            raise ConfigurationError("name", "a fleet finds the circuit by it: give one")
        if self.fleet is not None and math.isinf(self.timeout):
            raise ConfigurationError("timeout", "a fleet has to be told an end: give seconds")
        check_number("quorum", self.quorum, least=0.0)
        if self.quorum == 0 or (self.quorum > 1 and self.quorum % 1):
            raise ConfigurationError("quorum", "give a number of processes, or a share below 1")

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


def _makes_sense(setting: str, value: object) -> bool:
    if setting == "slow_after" and isinstance(value, (int, float)):
        check_number(setting, value, least=0.0)
        return True
    return value is None or callable(value)


class Block:
    """One circuit of a breaker."""

    __slots__ = ("_circuit",)

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit

    @property
    def state(self) -> State:
        """The state the next call would meet."""
        return self._circuit.state

    def force_open(self) -> None:
        """Refuse every call until ``force_closed`` or ``reset``."""
        self._circuit.command(Event.FORCE_OPEN)

    def force_closed(self) -> None:
        """Let every call through, and count nothing, until ``force_open`` or ``reset``."""
        self._circuit.command(Event.FORCE_CLOSED)

    def reset(self) -> None:
        """Close the circuit and forget what was counted."""
        self._circuit.command(Event.RESET)

    def remember(self) -> CircuitMemory:
        """Where the circuit stands, for ``restore`` in another process."""
        return self._circuit.remember()

    def __enter__(self) -> None:
        circuit = self._circuit
        timed = not callable(circuit.terms.slow_after)  # which would ask for arguments
        held = finish(circuit.enter(_BLOCK, ((), {}) if timed else None), circuit.terms.clock)
        if held is None:
            refusal = circuit.refusal(_BLOCK)
            if not circuit.terms.shadow:
                raise refusal
            held = Held(_nothing)
        _entered.set((*_going_on(), (circuit, held)))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        entered = _going_on()
        # Blocks in interleaved generators do not end innermost first.
        mine = [i for i, (circuit, _) in enumerate(entered) if circuit is self._circuit]
        if not mine:
            return  # a generator closed elsewhere: its permit comes back with its own context
        _entered.set(entered[: mine[-1]] + entered[mine[-1] + 1 :])
        entered[mine[-1]][1].settle(Outcome(error=error))


def _going_on() -> tuple[tuple[Circuit, Held], ...]:
    """The blocks that have been entered here, without those that were left elsewhere."""
    return tuple(each for each in _entered.get() if not each[1].spent)


def _nothing(outcome: Outcome | None) -> None:
    """Nothing was given, so nothing has to be given back."""
