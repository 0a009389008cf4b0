"""Functions that fail because a test says so."""

from __future__ import annotations

import copy
import inspect
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

from tenuto.errors import ConfigurationError

from .inside import places_inside
from .names import guards_named

__all__ = ["Failures", "fail_next"]

Fault: TypeAlias = BaseException | Callable[[], BaseException]
"""An error to be copied for every call, or what makes one: a class, or a function."""


class Failures:
    """Failures that wait for calls. Each call takes one, from whatever thread."""

    def __init__(self, count: int, error: Fault) -> None:
        self.count = count
        self._error = error
        self._left = deque(range(count))
        self._over = False

    def __repr__(self) -> str:
        return f"Failures({self.used} of {self.count} used)"

    @property
    def left(self) -> int:
        """How many failures no call has met."""
        return len(self._left)

    @property
    def used(self) -> int:
        """How many calls have failed."""
        return self.count - self.left

    def take(self) -> BaseException | None:
        """The error for one call; None once enough have failed."""
        try:
            if self._over:
                return None
            self._left.pop()
        except IndexError:
            return None
        return self.make()

    def end(self) -> None:
        """Let what is still out strike no more: blocks may be left in any order."""
        self._over = True

    def make(self) -> BaseException:
        """The error for one call: no two calls raise the same object."""
        if not isinstance(self._error, BaseException):
            return self._error()
        error = copy.copy(self._error)
        error.__cause__ = self._error.__cause__
        # To set a cause, even none, hides the context.
        error.__suppress_context__ = self._error.__suppress_context__
        return error


def _raise(error: BaseException) -> Any:
    raise error


async def _raise_when_awaited(error: BaseException) -> Any:
    raise error


def _raise_when_iterated(error: BaseException) -> Iterator[Any]:
    yield _raise(error)


async def _raise_when_iterated_async(error: BaseException) -> AsyncIterator[Any]:
    yield _raise(error)


class _StandIn:
    """What a guard calls in place of its function for the length of a block."""

    def __init__(self, function: Callable[..., Any], failures: Failures) -> None:
        self.__wrapped__ = function
        self._failures = failures
        self._fail = _way_to_fail(_behind(function))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        error = self._failures.take()
        return self.__wrapped__(*args, **kwargs) if error is None else self._fail(error)


def _way_to_fail(function: Callable[..., Any]) -> Callable[[BaseException], Any]:
    """At the moment at which ``function`` would."""
    if inspect.iscoroutinefunction(function):
        return _raise_when_awaited
    if inspect.isgeneratorfunction(function):
        return _raise_when_iterated
    if inspect.isasyncgenfunction(function):
        return _raise_when_iterated_async
    return _raise


def _behind(value: Any) -> Any:
    """What is behind the stand-ins of blocks further out."""
    while isinstance(value, _StandIn):
        value = value.__wrapped__
    return value


@contextmanager
def fail_next(count: int, error: Fault, *, at: str) -> Generator[Failures, None, None]:
    """Make the next ``count`` calls of what is guarded under the name ``at`` fail with ``error``.

    A call, and a second attempt is one, fails before it reaches the function, inside of all that
    guards it. The name is that of a policy, or the qualified name of the function. ``error`` is an
    exception, of which each call gets a copy, or what makes one: a class, or a function. Calls
    after those, and all after the block, go where they belong; ``Failures.used`` says how many
    failed.

    Raises ConfigurationError, with the names there are, where nothing is guarded under the name.
    """
    failures = Failures(count, error)
    _check(failures)
    with ExitStack() as restored:
        restored.callback(failures.end)
        for guard in guards_named(at):
            for place in list(places_inside(guard)):
                if _behind(place.value) is guard.__wrapped__:
                    place.set(_StandIn(place.value, failures))
                    restored.callback(place.set, place.value)
        yield failures


def _check(failures: Failures) -> None:
    try:
        error: object = failures.make()
    except Exception as broken:  # the user's own function: it may raise anything
        raise ConfigurationError(
            "error", f"it cannot be made anew for every call ({broken}): give a function of nothing"
        ) from broken
    if not isinstance(error, BaseException):
        raise ConfigurationError("error", f"it makes {error!r}, which is no exception")
