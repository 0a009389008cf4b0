"""Several copies of one call, of which the first success is the answer."""

from __future__ import annotations

import contextvars
import functools
import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast

from tenuto.clock import Clock
from tenuto.policies.deadline import time_left
from tenuto.policies.events import EventKind, Listener, PolicyEvent, announce, hook_failed

from .crew import Crew
from .naming import check_function, name_of
from .outcome import Outcome
from .registry import register
from .timing import refuse_generators

if TYPE_CHECKING:
    import asyncio

__all__ = ["HedgeTerms", "hedged"]

P = ParamSpec("P")
R = TypeVar("R")

_NOTE = "tenuto: "
_STOP_AT_ONCE = (KeyboardInterrupt, SystemExit, GeneratorExit)

_crew = Crew(most=32)
_losers: set[asyncio.Future[Any]] = set()
"""Copies that were cancelled and have not ended yet; the loop itself keeps only weak references."""


class HedgeTerms(Protocol):
    """When another copy is started, and how many there may be."""

    @property
    def name(self) -> str | None: ...
    @property
    def max_hedges(self) -> int: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def on_event(self) -> Listener | None: ...
    def pause(self) -> float | None:
        """Seconds to wait for an answer before the next copy; None: there shall be none."""
        ...


class Race:
    """The copies of one call: how many there are, and which of them answers."""

    __slots__ = ("_errors", "_name", "_pause", "_terms", "outcome", "started")

    def __init__(self, terms: HedgeTerms, name: str) -> None:
        self._terms = terms
        self._name = name
        self._errors: dict[int, BaseException] = {}
        self._pause: float | None = None
        self.started = 0
        self.outcome: Outcome | None = None
        """How the whole call ends, once that is decided."""

    def begin(self) -> int:
        """One more copy has been started; its number."""
        self.started += 1
        listener = self._terms.on_event
        if self.started > 1 and listener is not None:
            event = PolicyEvent(
                EventKind.HEDGED, "hedge", self._name, attempt=self.started, wait=self._pause
            )
            announce(listener, event)
        return self.started

    def end(self, number: int, outcome: Outcome) -> None:
        """Copy ``number`` is over. It decides by success, or as the last one to fail."""
        error = outcome.error
        if error is None or isinstance(error, _STOP_AT_ONCE):
            self.outcome = outcome
            return
        self._errors[number], outcome.error = error, None
        if len(self._errors) == self.started:
            self.outcome = Outcome(error=self._first_error())

    def pause(self) -> float | None:
        """Seconds from now to the start of the next copy; None: there is none to come."""
        if self.started > self._terms.max_hedges:
            return None
        self._pause = self._terms.pause()
        left = time_left()
        if self._pause is not None and left is not None and self._pause >= left:
            return None  # it would begin when the time is up
        return self._pause

    def _first_error(self) -> BaseException:
        first, *others = [self._errors[number] for number in sorted(self._errors)]
        prefix = f"{_NOTE}{self._name}, copy "
        try:
            # An exception object that is raised again and again keeps the last notes only.
            before = getattr(first, "__notes__", [])
            before[:] = [kept for kept in before if not str(kept).startswith(prefix)]
            for number, error in enumerate(others, start=2):
                first.add_note(f"{prefix}{number}: {type(error).__name__}: {error}")
        except Exception as broken:  # an error that refuses notes goes without
            hook_failed(broken)
        self._errors.clear()
        return first


def hedged(function: Callable[P, R], terms: HedgeTerms) -> Callable[P, R]:
    """``function`` with copies by ``terms``: of the same kind, name and signature."""
    check_function(function)
    refuse_generators(function, "hedge")
    name = terms.name or name_of(function)
    wrap = _hedged_async if inspect.iscoroutinefunction(function) else _hedged_plain
    call = functools.wraps(function)(wrap(function, terms, name))
    register(call, terms.name, name_of(function))
    return cast("Callable[P, R]", call)


def _hedged_async(function: Callable[..., Any], terms: HedgeTerms, name: str) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        first = function(*args, **kwargs)
        return await _race_async(function, Race(terms, name), first, args, kwargs)

    return call


def _hedged_plain(function: Callable[..., Any], terms: HedgeTerms, name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if _on_a_loop():  # which threads must not be waited for
            result = function(*args, **kwargs)
        else:
            result = _race(function, terms, name, args, kwargs)
        if hasattr(type(result), "__await__"):
            return _race_async(function, Race(terms, name), result, args, kwargs)
        return result

    return call


async def _race_async(
    function: Callable[..., Any],
    race: Race,
    first: Awaitable[Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    """Copies as tasks. Those that are not needed any more are cancelled, and not waited for."""
    import asyncio

    loop = asyncio.get_running_loop()
    running: dict[asyncio.Future[Any], int] = {}
    copy = asyncio.ensure_future(first)
    try:
        while True:
            running[copy] = race.begin()
            wait = race.pause()
            due = None if wait is None else loop.time() + wait
            done: set[asyncio.Future[Any]] = {copy}
            while done:
                left = None if due is None else max(0.0, due - loop.time())
                done, _ = await asyncio.wait(
                    running, timeout=left, return_when=asyncio.FIRST_COMPLETED
                )
                for ended in done:
                    race.end(running.pop(ended), _outcome(ended))
                    if race.outcome is not None:
                        return race.outcome.unwrap()
            copy = loop.create_task(_call(function, args, kwargs))
    finally:
        for loser in running:
            _losers.add(loser)
            loser.add_done_callback(_forget)
            loser.cancel()


async def _call(function: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]) -> Any:
    return await function(*args, **kwargs)


def _outcome(ended: asyncio.Future[Any]) -> Outcome:
    try:
        return Outcome(ended.result())
    except BaseException as error:  # raised again where the race is decided
        return Outcome(error=error)


def _forget(loser: asyncio.Future[Any]) -> None:
    _losers.discard(loser)
    if not loser.cancelled():
        loser.exception()  # looked at, or the loop would complain


def _race(
    function: Callable[..., Any],
    terms: HedgeTerms,
    name: str,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    """Copies in threads. Those that are not needed any more run on, and are not listened to."""
    race, clock = Race(terms, name), terms.clock
    ended: deque[tuple[int, Outcome]] = deque()
    news = threading.Event()

    def copy(number: int) -> None:
        try:
            outcome = Outcome(function(*args, **kwargs))
        except BaseException as error:  # raised again where the race is decided
            outcome = Outcome(error=error)
        ended.append((number, outcome))
        del outcome  # this frame is in the error's traceback: the two must not hold each other
        news.set()

    while race.outcome is None:
        context = contextvars.copy_context()  # one each: it can be entered only once at a time
        due: float | None = None
        if _crew.take(functools.partial(context.run, copy, race.started + 1)):
            race.begin()
            wait = race.pause()
            due = None if wait is None else clock.monotonic() + wait
        elif not race.started:
            return function(*args, **kwargs)  # no thread is free: without copies, but at once
        while race.outcome is None:
            left = None if due is None else max(0.0, due - clock.monotonic())
            heard = clock.wait(news, left)
            news.clear()
            while ended and race.outcome is None:
                race.end(*ended.popleft())
            if not heard:
                break
    return race.outcome.unwrap()


def _on_a_loop() -> bool:
    """Whether an event loop runs in this thread."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
