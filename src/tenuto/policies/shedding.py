"""``LoadShedding``: under overload, leave out the calls that matter least."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import KW_ONLY, dataclass, field, replace
from threading import RLock
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import (
    ConfigurationError,
    FaultClass,
    LoadShedError,
    RefusalReason,
    RefusedError,
    classify,
)
from tenuto.machines import Priority, Shedder

from .engine.gates import gated
from .engine.lineage import is_neutral, past_of
from .engine.steps import Step
from .events import EventKind, Listener, PolicyEvent, announce, hook_failed
from .rules import Exceptions, Matcher, check_number, matcher

__all__ = ["LoadShedding", "Priority", "priority"]

P = ParamSpec("P")
R = TypeVar("R")

_KIND = "load shedding"
_LONGEST = 1e9  # seconds
_OVERLOADED = frozenset({429, 503})  # RFC 6585, section 4; RFC 9110, section 15.6.4
# Refusals that say nothing of how much the dependency can take.
_NOT_OF_LOAD = frozenset({RefusalReason.CIRCUIT_OPEN, RefusalReason.DEADLINE})

_around: ContextVar[Priority] = ContextVar("tenuto_priority", default=Priority.CRITICAL)


@contextmanager
def priority(level: Priority) -> Generator[None, None, None]:
    """What is called in the block matters as much as ``level``; also works as a decorator.

    Without it, calls are ``Priority.CRITICAL``.
    """
    if not isinstance(level, Priority):
        raise ConfigurationError("priority", f"give a Priority, not {level!r}")
    token = _around.set(level)
    try:
        yield
    finally:
        _around.reset(token)


@dataclass(frozen=True)
class LoadShedding:
    """Send a dependency that turns calls away fewer of them: the most important ones.

    Use it as a decorator, of any kind of function, or as ``with shedding:``. Everything guarded by
    one object shares what is known of the dependency. When it accepts less than one in ``k`` of the
    calls that there were in ``window`` seconds, a share of all calls is refused at once, with
    ``LoadShedError``: those of the least important ``Priority`` as far as there are any, then of
    the next. How large a share, ``tenuto.machines.Shedder`` says.

    Turned away are, by default, calls that end with a resource fault, a timeout, HTTP status 429 or
    503, or the refusal of a policy further in. Any other error is an answer. Cancellations count as
    nothing, and so do an open circuit and a deadline that has passed: neither is overload.

    Raises ConfigurationError when it is built with settings that make no sense.
    """

    name: str | None = None
    """The dependency's name, for errors and events; the guarded function's by default."""
    k: float = 2.0
    """Calls that may be sent for each that is accepted: fewer waste less, more notice sooner that
    the dependency is back."""
    window: float = 120.0
    """What is counted of the past, in seconds."""
    _: KW_ONLY
    priority: Priority | Callable[..., Priority] | None = None
    """Of all calls, or a function of a call's arguments; by default, that of the ``priority``
    block around the call."""
    exceptions: Exceptions = None
    """What turned the call away: a type, a tuple of types, or a function of the error."""
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)
    on_event: Listener | None = field(default=None, repr=False)

    matches: Matcher | None = field(init=False, repr=False, compare=False)
    _gate: _Gate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_number("k", self.k, least=1.0, most=_LONGEST)
        check_number("window", self.window, least=0.0, most=_LONGEST)
        if self.window == 0:
            raise ConfigurationError("window", "give a number of seconds above 0")
        level = self.priority
        if not (level is None or isinstance(level, Priority) or callable(level)):
            raise ConfigurationError("priority", "give a Priority, or a function that returns one")
        object.__setattr__(self, "matches", matcher("exceptions", self.exceptions))
        object.__setattr__(self, "_gate", _Gate(self))

    def __str__(self) -> str:
        what = f"{self.name}: " if self.name else ""
        return f"LoadShedding({what}beyond {self.k:g} calls for each accepted in {self.window:g} s)"

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return gated(function, self._gate, self.name)

    def __enter__(self) -> None:
        if callable(self.priority):
            raise ConfigurationError("priority", "a block has no arguments: guard a function")
        level = self._gate.of_block()
        if not self._gate.lets_in(level):
            raise self._gate.refusal(level, _KIND)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._gate.settle(self._gate.of_block(), error, _KIND)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    @property
    def rejection(self) -> float:
        """The share of all calls that is shed just now."""
        return self._gate.rejection()

    def reconfigure(self, **settings: Any) -> None:
        """Go by other settings from the next call on, and keep what was counted."""
        for fixed in ("window", "clock"):
            if fixed in settings:
                raise ConfigurationError(fixed, "what was counted so far cannot be read by another")
        changed = replace(self, **settings)
        for setting in (*settings, "matches"):
            object.__setattr__(self, setting, getattr(changed, setting))
        self._gate.retune()


class _Gate:
    """What all calls under one ``LoadShedding`` share. A call's permit is its priority.

    The lock is held for the machine's counting only. It is re-entrant: the collector may end an
    abandoned call in a thread that holds the lock.
    """

    __slots__ = ("_lock", "_machine", "_monotonic", "clock", "terms")

    def __init__(self, terms: LoadShedding) -> None:
        self.terms = terms
        self.clock = terms.clock
        self._monotonic = terms.clock.monotonic
        self._lock = RLock()
        self._machine = Shedder(terms.k, terms.window, self._monotonic())

    def admit(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Priority | None:
        return self._level(args, kwargs) if self._machine.calm else None

    def enter(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Generator[Step, Any, object]:
        yield from ()  # nobody waits here
        level = self._level(args, kwargs)
        return level if self.lets_in(level) else self.refusal(level, name)

    def settle(self, permit: Priority, error: BaseException | None, name: str) -> None:  # noqa: ARG002  # as in ``Gate``
        if error is None:
            self._note(permit, accepted=True)
            return
        fault = classify(error, FaultClass.INFRASTRUCTURE)
        _, refusal = past_of(error)
        if is_neutral(error, fault) or (refusal is not None and refusal.reason in _NOT_OF_LOAD):
            return
        self._note(permit, accepted=not self._turned_away(error, fault, refusal))

    def rejection(self) -> float:
        now = self._monotonic()
        with self._lock:
            return self._machine.rejection(now)

    def lets_in(self, level: Priority) -> bool:
        """Whether a call of that priority may go on: it is a matter of chance."""
        now = self._monotonic()
        with self._lock:
            share = self._machine.share(level, now)
        return share == 0.0 or self.clock.random() >= share

    def refusal(self, level: Priority, name: str) -> LoadShedError:
        """The error for a call that is shed: a new one each time."""
        self._note(level, accepted=False)
        name = self.terms.name or name
        refusal = LoadShedError(service=name, priority=level)
        if self.terms.on_event is not None:
            event = PolicyEvent(
                EventKind.REFUSED,
                _KIND,
                name,
                error=refusal,
                fault_class=classify(refusal),
                reason=refusal.reason,
            )
            announce(self.terms.on_event, event)
        return refusal

    def of_block(self) -> Priority:
        """The priority of a ``with`` block."""
        level = self.terms.priority
        return level if isinstance(level, Priority) else _around.get()

    def retune(self) -> None:
        with self._lock:
            self._machine.k = self.terms.k

    def _note(self, level: Priority, *, accepted: bool) -> None:
        now = self._monotonic()
        with self._lock:
            self._machine.note(level, now, accepted=accepted)

    def _turned_away(
        self, error: BaseException, fault: FaultClass, refusal: RefusedError | None
    ) -> bool:
        """Whether ``error`` says that the dependency did not accept the call."""
        matches = self.terms.matches
        if matches is None:
            return (
                fault is FaultClass.RESOURCE
                or refusal is not None
                or isinstance(error, TimeoutError)
                or _status(error) in _OVERLOADED
            )
        try:
            return bool(matches(error))
        except Exception as broken:  # a rule's bug must not replace the user's own error
            hook_failed(broken)
            return False

    def _level(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Priority:
        level = self.terms.priority
        if callable(level):
            try:
                return Priority(level(*args, **kwargs))
            except Exception as broken:  # a rule's bug must not cost the user the call
                hook_failed(broken)
        return self.of_block()


def _status(error: BaseException) -> object:
    """The HTTP status that ``error`` tells of, where client libraries keep it."""
    try:
        response = getattr(error, "response", None)
        status = getattr(response, "status_code", None) or getattr(error, "status", None)
        return status if isinstance(status, int) else None
    except Exception:  # an error may fail to tell
        return None
