"""``Retry``: repeat a call that failed for a reason that may pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ParamSpec, TypeAlias, TypeVar

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import ConfigurationError, FaultClass

from .backoff import Backoff, Shape, Wait
from .engine.guard import protect
from .events import Listener
from .rules import Exceptions, Matcher, check_number, matcher

__all__ = ["Retry", "Rule"]

P = ParamSpec("P")
R = TypeVar("R")

Rule: TypeAlias = Callable[[Any], bool]
"""A yes or no by how the call has gone so far. tenacity's stops and predicates are such rules."""


@dataclass(frozen=True)
class Retry:
    """Repeat a failed call up to ``max_retries`` times: ``max_retries=3`` is at most four calls.

    Use it as a decorator, of functions, coroutine functions, functions that return awaitables,
    generator functions and async generator functions. A generator is repeated only until its
    first item is out. The caller gets the function's own exception, with a note on what was
    tried.

    Raises ConfigurationError when it is built with settings that make no sense.
    """

    max_retries: int = 3
    backoff: Shape | Wait = "exponential"
    """The shape of the waits by name, a ``Backoff``, or any ``tenacity.wait_*``."""
    exceptions: Exceptions = None
    """What is repeated: a type, a tuple of types, a function of the error. By default, what
    ``classify`` calls infrastructure, and errors nobody knows."""
    _: KW_ONLY
    wait: Wait | None = None
    """tenacity's word for ``backoff``; give one of the two."""
    stop: Rule | None = None
    """When to stop, in place of ``max_retries``: any ``tenacity.stop_*``."""
    retry: Rule | None = None
    """What is repeated, in place of ``exceptions``: any ``tenacity.retry_if_*``."""
    deadline: float | None = None
    """Seconds the whole call may take: the same as ``with deadline(seconds):`` around it."""
    repeat_given_up: bool = False
    """Repeat even what an inner retry gave up on. The attempts multiply."""
    name: str | None = None
    """For events and notes; the guarded function's name by default."""
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)
    on_event: Listener | None = field(default=None, repr=False)

    calls: int | None = field(init=False, repr=False, compare=False)
    """The most calls to make; None where ``stop`` decides."""
    waits: Wait = field(init=False, repr=False, compare=False)
    judges_results: bool = field(init=False, repr=False, compare=False)
    """Whether a call that returns may have to be repeated too."""
    _matches: Matcher | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_number("max_retries", self.max_retries, least=0, whole=True)
        if self.deadline is not None:
            check_number("deadline", self.deadline, least=0.0)
        if self.retry is not None and self.exceptions is not None:
            raise ConfigurationError("retry", "give exceptions or retry, not both")
        for setting, rule in (("stop", self.stop), ("retry", self.retry)):
            if rule is not None and not callable(rule):
                raise ConfigurationError(setting, "give a function of the state of the call")
        derived = {
            "calls": _most_calls(self.max_retries, self.stop),
            "waits": _waits(self.backoff, self.wait),
            "judges_results": self.retry is not None and _judges_results(self.retry),
            "_matches": matcher("exceptions", self.exceptions),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def __str__(self) -> str:
        often = f"{self.calls} calls" if self.calls is not None else "until its stop condition"
        return f"Retry({often}, {self.waits})"

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return protect(function, retry=self)

    @property
    def shuns_refusals(self) -> bool:
        """Whether an open circuit ends it. Yes, unless the user says what is repeated."""
        return self.exceptions is None and self.retry is None

    @property
    def timed(self) -> bool:
        """Whether a rule needs the start of the call, or its result, so that all pay for it."""
        return self.judges_results or self.calls is None

    def matches(self, error: BaseException, fault: FaultClass | None) -> bool:
        """Whether ``error``, of the class ``fault``, is one to repeat."""
        if self._matches is None:
            return fault is FaultClass.INFRASTRUCTURE
        return self._matches(error)


def _waits(backoff: Shape | Wait, wait: Wait | None) -> Wait:
    if wait is not None and backoff != "exponential":
        raise ConfigurationError("wait", "give backoff or wait, not both")
    chosen = backoff if wait is None else wait
    if isinstance(chosen, str):
        return Backoff(chosen)
    if callable(chosen):
        return chosen
    raise ConfigurationError("backoff", "give a name, a Backoff, or a function of the state")


def _most_calls(max_retries: int, stop: Rule | None) -> int | None:
    if stop is None:
        return max_retries + 1
    # tenacity's stop_after_attempt, known by its attribute so that tenacity is not imported.
    limit = getattr(stop, "max_attempt_number", None)
    return limit if isinstance(limit, int) else None


def _judges_results(rule: Rule) -> bool:
    """Whether ``rule`` may ask for a repeat of a call that returned.

    tenacity's rules about exceptions alone do not; knowing that keeps them off the happy path.
    """
    members = getattr(rule, "retries", None)
    if members:
        return any(_judges_results(member) for member in members)
    return not any(
        kind.__name__ == "retry_if_exception" and kind.__call__ is type(rule).__call__
        for kind in type(rule).__mro__
    )
