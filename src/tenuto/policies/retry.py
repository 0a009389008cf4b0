"""``Retry``: repeat a call that failed for a reason that may pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import KW_ONLY, dataclass, field, fields
from functools import partial
from typing import Any, ParamSpec, TypeAlias, TypeVar

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import ConfigurationError, FaultClass, RefusedError

from .backoff import Backoff, Shape, Wait
from .budget import RetryBudget
from .engine.guard import protect
from .events import Listener
from .hints import Hint, careful, server_hint
from .kinds import Kind, check_kinds, nearest, word_for
from .retrying import Retrying
from .rules import Exceptions, Matcher, check_number, matcher

__all__ = ["Retry", "Rule"]

P = ParamSpec("P")
R = TypeVar("R")

Rule: TypeAlias = Callable[[Any], bool]
"""A yes or no by how the call has gone so far. tenacity's stops and predicates are such rules."""

_FOR_SOME_ERRORS = frozenset({"max_retries", "backoff", "wait", "stop", "hint"})
"""What a retry may say that stands in ``per`` for some of the errors."""


@dataclass(frozen=True)
class Retry:
    """Repeat a failed call up to ``max_retries`` times: ``max_retries=3`` is at most four calls.

    Use it as a decorator, of functions, coroutine functions, functions that return awaitables,
    generator functions and async generator functions; or as a loop,
    ``for attempt in Retry(): with attempt: …``. A generator is repeated only until its first item
    is out. The caller gets the function's own exception, with a note on what was tried.

    Raises ConfigurationError when it is built with settings that make no sense.
    """

    max_retries: int = 3
    backoff: Shape | Wait = "exponential"
    """The shape of the waits by name, a ``Backoff``, or any ``tenacity.wait_*``."""
    exceptions: Exceptions = None
    """What is repeated: a type, a tuple of types, a function of the error. By default, what
    ``classify`` calls infrastructure, and errors nobody knows."""
    _: KW_ONLY
    per: Mapping[Kind, Retry] | None = field(default=None, hash=False)
    """Terms for some errors, by exception type or fault class, in place of those given here. The
    nearest base class decides, and types go before fault classes. Each counts its own errors."""
    wait: Wait | None = None
    """tenacity's word for ``backoff``; give one of the two."""
    stop: Rule | None = None
    """When to stop, in place of ``max_retries``: any ``tenacity.stop_*``."""
    retry: Rule | None = None
    """What is repeated, in place of ``exceptions``: any ``tenacity.retry_if_*``."""
    hint: Hint | None = server_hint
    """Seconds to wait in place of ``backoff``, by the error; None: nobody is asked."""
    max_hint: float = 3600.0
    """Seconds. When a longer wait is asked for, the retry gives up: coming back earlier would be
    in vain, and a day's wait hangs a batch."""
    deadline: float | None = None
    """Seconds the whole call may take: the same as ``with deadline(seconds):`` around it."""
    budget: RetryBudget | None = None
    """What retries are paid from, by all who share it; without one they are free."""
    repeat_given_up: bool = False
    """Repeat even what an inner retry gave up on. The attempts multiply."""
    raise_as: type[Exception] | None = None
    """The type of the final error in place of the function's own, which becomes its cause. What
    would not have been repeated anyhow is raised as it is."""
    name: str | None = None
    """For events and notes; the guarded function's name by default."""
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)
    on_event: Listener | None = field(default=None, repr=False)

    calls: int | None = field(init=False, repr=False, compare=False)
    """The most calls to make; None where ``stop`` decides."""
    waits: Wait = field(init=False, repr=False, compare=False)
    hints: Hint | None = field(init=False, repr=False, compare=False)
    """``hint``, by this clock, and without doing any harm."""
    rules: Callable[[BaseException, FaultClass | None], Retry | None] | None = field(
        init=False, repr=False, compare=False
    )
    """What finds the entry of ``per`` for an error; None where it has none."""
    judges_results: bool = field(init=False, repr=False, compare=False)
    """Whether a call that returns may have to be repeated too."""
    shuns_refusals: bool = field(init=False, repr=False, compare=False)
    """Whether a refused call ends it. Yes, unless the user says what is repeated."""
    timed: bool = field(init=False, repr=False, compare=False)
    """Whether a rule needs the start of the call, or its result, so that all pay for it."""
    matches: Matcher | None = field(init=False, repr=False, compare=False)
    """Which errors are repeated; None: what is classified as infrastructure."""

    def __post_init__(self) -> None:
        check_number("max_retries", self.max_retries, least=0, whole=True)
        check_number("max_hint", self.max_hint, least=0.0)
        if self.deadline is not None:
            check_number("deadline", self.deadline, least=0.0)
        if self.retry is not None and self.exceptions is not None:
            raise ConfigurationError("retry", "give exceptions or retry, not both")
        for setting, rule in (("stop", self.stop), ("retry", self.retry), ("hint", self.hint)):
            if rule is not None and not callable(rule):
                raise ConfigurationError(setting, "give a function; see its description")
        if self.budget is not None and not isinstance(self.budget, RetryBudget):
            raise ConfigurationError("budget", "give a RetryBudget")
        _check_type("raise_as", self.raise_as)
        calls = _most_calls(self.max_retries, self.stop)
        judges_results = self.retry is not None and _judges_results(self.retry)
        _derive(
            self,
            calls=calls,
            waits=_waits(self.backoff, self.wait),
            hints=self._hints(),
            judges_results=judges_results,
            shuns_refusals=self.exceptions is None and self.retry is None,
            matches=matcher("exceptions", self.exceptions),
        )
        rules = {} if self.per is None else _rules(self, self.per)
        _derive(
            self,
            rules=partial(_find, rules) if rules else None,
            timed=judges_results or None in {calls, *(rule.calls for rule in rules.values())},
        )

    def __str__(self) -> str:
        often = "until its stop condition" if self.calls is None else f"{self.calls} calls"
        parts = [f"{often}, {self.waits}"]
        parts += [f"{word_for(kind)}: {_terms(rule)}" for kind, rule in (self.per or {}).items()]
        if self.budget is not None:
            parts.append(str(self.budget))
        return f"Retry({'; '.join(parts)})"

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return protect(function, retry=self)

    def __iter__(self) -> Retrying:
        return Retrying(self)

    def __aiter__(self) -> Retrying:
        return Retrying(self)

    def _hints(self) -> Hint | None:
        by_this_clock = partial(server_hint, clock=self.clock)
        if self.hint is None:
            return None
        if self.hint is not server_hint:
            return partial(careful, self.hint)
        return self.hint if self.clock is SYSTEM_CLOCK else by_this_clock


def _rules(outer: Retry, per: Mapping[Kind, Retry]) -> dict[Kind, Retry]:
    """The entries of ``per`` as terms that errors go by."""
    check_kinds("per", per)
    for kind, rule in per.items():
        if not isinstance(rule, Retry):
            raise ConfigurationError("per", f"give a Retry for {word_for(kind)}, not {rule!r}")
        said = {each.name for each in fields(Retry) if each.init and _is_said(rule, each)}
        if wrong := sorted(said - _FOR_SOME_ERRORS):
            raise ConfigurationError(
                "per", f"{', '.join(wrong)} cannot differ for {word_for(kind)}: say it outside"
            )
    return {kind: _as_rule(rule, kind, outer) for kind, rule in per.items()}


def _as_rule(rule: Retry, kind: Kind, outer: Retry) -> Retry:
    made = copy(rule)
    _derive(
        made,
        hints=outer.hints if rule.hint is server_hint else rule.hints,
        # ``per={ExternalServiceError: …}`` does not mean a circuit that is open.
        shuns_refusals=not (isinstance(kind, type) and issubclass(kind, RefusedError)),
        matches=_always,
    )
    return made


def _derive(retry: Retry, **values: object) -> None:
    for name, value in values.items():
        object.__setattr__(retry, name, value)


def _terms(rule: Retry) -> str:
    """A rule in a line: it counts its own errors, and not calls."""
    if rule.calls is None:
        return f"until its stop condition, {rule.waits}"
    retries = "1 retry" if rule.calls == 2 else f"{rule.calls - 1} retries"
    return f"{retries}, {rule.waits}"


def _is_said(rule: Retry, setting: Any) -> bool:
    return bool(getattr(rule, setting.name) != setting.default)


def _find(
    rules: Mapping[Kind, Retry], error: BaseException, fault: FaultClass | None
) -> Retry | None:
    found = nearest(rules, error, fault)
    return None if found is None else found[1]


def _always(_: BaseException) -> bool:
    return True


def _check_type(setting: str, kind: object) -> None:
    if kind is not None and not (isinstance(kind, type) and issubclass(kind, Exception)):
        raise ConfigurationError(setting, "give an exception type")


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
