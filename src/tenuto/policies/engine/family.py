"""One circuit for each key: many hosts, tenants or models behind one policy."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from functools import partial
from hashlib import sha256
from itertools import count
from operator import attrgetter
from threading import RLock
from typing import Any

from tenuto.capture.redact import scrub
from tenuto.machines import Event, State
from tenuto.policies.events import hook_failed

from .circuit import Circuit
from .contracts import Call, CircuitTerms
from .iterating import async_generator, generator
from .memory import CircuitMemory, one_line
from .series import Guarded, series
from .steps import Steps

__all__ = ["CircuitFamily", "by_key"]

_LONGEST_KEY = 80  # characters, in names
_DIGEST = 12  # of them, that tell those apart which begin alike
_FORCED = (State.FORCED_OPEN, State.FORCED_CLOSED)
_call = partial(tuple.__new__, Call)  # a named tuple's own constructor takes twice as long
_used = attrgetter("used")


class _Member:
    """The circuit of one key, and the happy paths that go through it, by guard."""

    __slots__ = ("circuit", "key", "paths", "used")

    def __init__(self, key: Hashable, circuit: Circuit) -> None:
        self.key = key
        self.circuit = circuit
        self.paths: dict[object, Callable[..., Any]] = {}
        self.used = 0
        """When it was last asked for, in numbers that grow."""

    @property
    def dispensable(self) -> bool:
        return self.circuit.machine.state is State.CLOSED


class CircuitFamily:
    """The circuits of one policy, by key, and ``common`` for calls whose key cannot be told.

    Of more than ``most`` keys, the one not used for longest goes first, but a closed circuit before
    one that knows of trouble. Keys are a user's objects, which compare themselves as they like: no
    lock is held meanwhile.
    """

    def __init__(self, terms: CircuitTerms, key: Callable[[Call], Hashable], most: int) -> None:
        self._terms = terms
        self._key = key
        self._most = most
        self._members: dict[Hashable, _Member] = {}
        self._tick = count(1).__next__
        self._lock = RLock()
        self._leaving: list[tuple[int, _Member]] = []
        self.common = Circuit(terms)
        self._common = _Member(None, self.common)
        self._expected: dict[str, CircuitMemory] = {}
        self.forced: Event | None = None
        """What holds for all keys, those to come as well."""

    def at(self, key: Hashable) -> Circuit:
        """The circuit of ``key``."""
        return (self._members.get(key) or self._add(key)).circuit

    def keys(self) -> list[Hashable]:
        """The keys that are known, the one used last at the end."""
        return [member.key for member in sorted(self._all(), key=_used)]

    def circuits(self) -> list[Circuit]:
        """All circuits there are."""
        return [self.common, *(member.circuit for member in self._all())]

    def member(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> _Member:
        """Where a call with these arguments belongs."""
        try:
            key = self._key(_call((args, kwargs)))
            member = self._members.get(key)
            if member is None:
                if self.forced is None and self.common.machine.state in _FORCED:
                    return self._common  # a test says so of the breaker, and for the time being
                member = self._add(key)
        except Exception as broken:  # a rule's bug must not cost the user the call
            hook_failed(broken)
            return self._common
        member.used = self._tick()
        return member

    def expect(self, shown: str, memory: CircuitMemory) -> None:
        """The circuit of the key that is shown so goes on from ``memory``, once it is met."""
        if memory.state is not State.CLOSED and len(self._expected) < self._most:
            self._expected[shown] = memory

    def forget(self, guard: object) -> None:
        """A guard is gone, and needs no paths any more."""
        for member in self._all():
            member.paths.pop(guard, None)

    def _all(self) -> list[_Member]:
        return list(self._members.values())  # at once, whatever other threads do

    def _add(self, key: Hashable) -> _Member:
        shown, tells_apart = _shown(key)
        new = _Member(key, Circuit(self._terms, shown, alone=not tells_apart))
        new.used = self._tick()
        if (memory := self._expected.pop(shown, None)) is not None:
            new.circuit.restore(memory)
        if self.forced is not None:
            new.circuit.machine.on(self.forced, new.circuit.monotonic())
        member = self._members.setdefault(key, new)
        while len(self._members) > self._most:
            leaving = self._one_to_leave(member)
            self._members.pop(leaving.key, None)
        return member

    def _one_to_leave(self, newest: _Member) -> _Member:
        """The member not used for longest, that is closed if one is.

        Those in line are sorted once for many that leave. One that has been used since, or knows
        of trouble by now, has lost its place.
        """
        with self._lock:
            for _ in range(2):
                while self._leaving:
                    used, member = self._leaving.pop()
                    if member.used == used and member.dispensable:
                        return member
                line = [(each.used, each) for each in self._all() if each.dispensable]
                line = [each for each in line if each[1] is not newest]
                self._leaving = sorted(line, key=_first, reverse=True)
            return min((each for each in self._all() if each is not newest), key=_used)


def by_key(
    guarded: Guarded, family: CircuitFamily, path: Callable[[Guarded], Callable[..., Any]]
) -> Callable[..., Any]:
    """The guard of a function whose calls go through the circuits of ``family``.

    ``path`` makes the guard for one of them: what a key costs is finding that.
    """
    function, guard = guarded.function, object()

    def steps(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Steps:
        circuit = family.member(args, kwargs).circuit
        return series(replace(guarded, circuit=circuit), args, kwargs)

    if inspect.isgeneratorfunction(function):
        return generator(steps, guarded.clock)
    if inspect.isasyncgenfunction(function):
        return async_generator(steps, guarded.clock)
    find = family.member

    def new_path(member: Any) -> Callable[..., Any]:
        found = member.paths[guard] = path(replace(guarded, circuit=member.circuit))
        return found

    if inspect.iscoroutinefunction(function):

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            member = find(args, kwargs)
            found = member.paths.get(guard)
            return await (new_path(member) if found is None else found)(*args, **kwargs)

        wrapper: Callable[..., Any] = call_async
    else:

        def call(*args: Any, **kwargs: Any) -> Any:
            member = find(args, kwargs)
            found = member.paths.get(guard)
            return (new_path(member) if found is None else found)(*args, **kwargs)

        wrapper = call
    weakref.finalize(wrapper, family.forget, guard).atexit = False
    return wrapper


def _first(pair: tuple[int, _Member]) -> int:
    return pair[0]


def _shown(key: Hashable) -> tuple[str, bool]:
    """What a key is called, and whether it is the only one that is called so.

    That it is not where something secret is left out, which others may differ in.
    """
    try:
        text = str(key)
    except Exception:  # a key may fail to describe itself
        return type(key).__name__, False
    known = scrub(text)
    shown = one_line(known, _LONGEST_KEY)
    if shown != known:
        digest = sha256(known.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
        shown = f"{one_line(known, _LONGEST_KEY - _DIGEST - 1)}~{digest}"
    return shown, known == text
