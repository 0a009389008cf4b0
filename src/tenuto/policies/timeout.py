"""``Timeout``: how long a call may take, and what is done about one that takes longer."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, ParamSpec, TypeVar, cast

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import ConfigurationError, ExternalServiceError

from .engine.naming import check_function
from .engine.timing import DeadlinePassedError, Limits, limited, refuse_generators
from .events import Listener
from .rules import check_number

__all__ = ["DeadlinePassedError", "ProcessDiedError", "Timeout"]

P = ParamSpec("P")
R = TypeVar("R")


class ProcessDiedError(ExternalServiceError):
    """The process that a call was made in died of it: a crash, an exit, the kernel's OOM killer.

    ``exitcode`` is the process's exit status; the negative number of the signal that killed it.
    """

    fields: ClassVar[tuple[str, ...]] = ("service", "exitcode")
    exitcode: int | None = None

    def describe(self) -> str:
        what = f"the process of {self.service or 'the call'}"
        if self.exitcode is not None and self.exitcode < 0:
            return f"{what} was killed by {_signal_name(-self.exitcode)}"
        status = "" if self.exitcode is None else f" with exit status {self.exitcode}"
        return f"{what} ended{status}, without an answer"


@dataclass(frozen=True)
class Timeout:
    """Give each call ``seconds``, or what an outer ``deadline`` leaves, if that is less.

    - A coroutine is cancelled when its time is up, and the caller gets a ``CallTimeoutError``.
    - A plain function cannot be stopped: no thread can. Waits inside it keep to the limit, and it
      can ask ``time_left()``. A result that comes late is kept, and told of as ``overran``.
    - With ``isolate`` a plain function runs in a process of its own, which is killed when its time
      is up, whatever it is doing. A process that dies by itself raises ``ProcessDiedError``. The
      function has to be importable, and what goes in and comes out is pickled.

    Once no time is left, a call is refused with ``DeadlinePassedError`` and not made. Inside a
    retry the limit is for each attempt, around one for all of them together.

    Raises ConfigurationError when it is built with settings that make no sense, or put around a
    generator function.
    """

    seconds: float
    name: str | None = None
    """For errors and events; the guarded function's name by default."""
    _: KW_ONLY
    isolate: bool = False
    """Run each call in a process of its own. For plain functions."""
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)
    on_event: Listener | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_number("timeout", self.seconds, least=0.0, most=_LONGEST)
        if self.seconds == 0:
            raise ConfigurationError("timeout", "give a number of seconds above 0")

    def __str__(self) -> str:
        where = ", in a process of its own" if self.isolate else ""
        return f"Timeout({self.seconds:g} s{where})"

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return isolated(function, self) if self.isolate else limited(function, self)


_LONGEST = 1e9  # seconds: what waits of the operating system still take


def isolated(function: Callable[P, R], terms: Timeout) -> Callable[P, R]:
    """``function`` in a process of its own, within the limit of ``terms``."""
    check_function(function)
    refuse_generators(function, "isolate")
    if inspect.iscoroutinefunction(function):
        raise ConfigurationError("isolate", "a coroutine can be cancelled: leave isolate out")
    limits = Limits(terms, function)

    def call(*args: Any, **kwargs: Any) -> Any:
        from .isolation import Answer, Death, run_apart

        limit = limits.next()
        ended = run_apart(function, args, kwargs, limit)
        if isinstance(ended, Answer):
            return ended.outcome.unwrap()
        if isinstance(ended, Death):
            raise ProcessDiedError(limits.name, ended.exitcode)
        raise limits.stopped(ended.limit)

    return cast("Callable[P, R]", functools.wraps(function)(call))


def _signal_name(number: int) -> str:
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"
