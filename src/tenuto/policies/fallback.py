"""``Fallback``: something else in place of a call that failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, ParamSpec, TypeVar

from tenuto.errors import ConfigurationError, FaultClass, classify

from .engine.guard import protect
from .engine.lineage import is_neutral
from .events import EventKind, Listener, PolicyEvent, announce, hook_failed
from .rules import Exceptions, Matcher, matcher

__all__ = ["Fallback"]

P = ParamSpec("P")
R = TypeVar("R")

_NOT_TO_BE_HIDDEN = (FaultClass.BUG, FaultClass.CONFIGURATION)


@dataclass(frozen=True)
class Fallback:
    """What to give the caller where the guarded call fails, or is refused.

    ``substitute`` is a function, called with the same arguments, or a value. By default it stands
    in for every error except bugs and wrong configuration, which nobody should learn to live with.
    ``Fallback(near).then(far).then(nothing)`` is a chain: each stands in for what the one before
    it fails with, as if each were a fallback around all before it.
    """

    substitute: Any
    exceptions: Exceptions = None
    """What it stands in for: a type, a tuple of types, or a function of the error."""
    _: KW_ONLY
    name: str | None = None
    """For events; the guarded function's name by default."""
    on_event: Listener | None = field(default=None, repr=False)
    later: tuple[Fallback, ...] = ()
    """What ``then`` added, in the order it is tried."""

    function: Callable[..., Any] = field(init=False, repr=False, compare=False)
    """The substitute as a function."""
    _matches: Matcher | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        chosen = self.substitute
        if isinstance(chosen, Fallback):
            raise ConfigurationError("substitute", "give the next substitute to then()")
        function = chosen if callable(chosen) else lambda *_, **__: chosen
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "_matches", matcher("exceptions", self.exceptions))

    def __str__(self) -> str:
        return f"Fallback({', then '.join(map(_shown, self.links))})"

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return protect(function, fallback=self)

    def then(self, substitute: Any, exceptions: Exceptions = None) -> Fallback:
        """This chain and, for where it fails too, one more substitute.

        A link that does not stand in for an error leaves it to the next one.
        """
        link = Fallback(substitute, exceptions, name=self.name, on_event=self.on_event)
        return replace(self, later=(*self.later, link))

    @property
    def links(self) -> tuple[Fallback, ...]:
        """The chain, in the order it is tried."""
        return (self, *self.later)

    @property
    def quick(self) -> Callable[..., Any] | None:
        """``function``, where nobody has to look at any error, or be told."""
        if self.exceptions is not None or self.on_event is not None or self.later:
            return None
        return self.function

    def covers(self, error: BaseException) -> bool:
        """Whether the substitute stands in for ``error``. Never for a cancellation."""
        fault = classify(error, FaultClass.INFRASTRUCTURE)
        if is_neutral(error, fault):
            return False
        if self._matches is None:
            return fault not in _NOT_TO_BE_HIDDEN
        try:
            return bool(self._matches(error))
        except Exception as broken:  # a rule's bug must not replace the user's own error
            hook_failed(broken)
            return False

    def announce(self, error: BaseException, name: str) -> None:
        """Tell the listener that the substitute stands in for ``error``."""
        if self.on_event is not None:
            fault = classify(error, FaultClass.INFRASTRUCTURE)
            event = PolicyEvent(
                EventKind.FELL_BACK,
                "fallback",
                self.name or name,
                error=error,
                fault_class=fault,
            )
            announce(self.on_event, event)


def _shown(link: Fallback) -> str:
    return str(getattr(link.substitute, "__name__", repr(link.substitute)))
