"""One circuit for each key: many hosts, tenants or models behind one policy."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import replace
from threading import RLock
from typing import Any

from tenuto.machines import State
from tenuto.policies.events import hook_failed

from .circuit import Circuit
from .contracts import Call, CircuitTerms
from .iterating import async_generator, generator
from .series import Guarded, series
from .steps import Steps

__all__ = ["CircuitFamily", "by_key"]

_LONGEST_KEY = 80  # characters, in names


class _Member:
    """The circuit of one key, and the happy paths that go through it, by guard."""

    __slots__ = ("circuit", "paths")

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.paths: dict[object, Callable[..., Any]] = {}


class CircuitFamily:
    """The circuits of one policy, by key, and ``common`` for calls whose key cannot be told.

    Of more than ``most`` keys, the one not used for longest goes first, but a closed circuit before
    one that knows of trouble.
    """

    def __init__(self, terms: CircuitTerms, key: Callable[[Call], Hashable], most: int) -> None:
        self._terms = terms
        self._key = key
        self._most = most
        self._lock = RLock()
        self._members: OrderedDict[Hashable, _Member] = OrderedDict()
        self.common = Circuit(terms)
        self._common = _Member(self.common)

    def at(self, key: Hashable) -> Circuit:
        """The circuit of ``key``."""
        return self._member(key).circuit

    def keys(self) -> list[Hashable]:
        """The keys that are known, the one used last at the end."""
        with self._lock:
            return list(self._members)

    def circuits(self) -> list[Circuit]:
        """All circuits there are."""
        with self._lock:
            return [self.common, *(member.circuit for member in self._members.values())]

    def member(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> _Member:
        """Where a call with these arguments belongs."""
        try:
            return self._member(self._key(Call(args, kwargs)))
        except Exception as broken:  # a rule's bug must not cost the user the call
            hook_failed(broken)
            return self._common

    def _member(self, key: Hashable) -> _Member:
        member = self._members.get(key)
        if member is not None:
            with suppress(
                KeyError
            ):  # another thread has just dropped it: it serves this call still
                self._members.move_to_end(key)
            return member
        with self._lock:
            member = self._members.get(key)
            if member is None:
                member = _Member(Circuit(self._terms, _shown(key)))
                self._members[key] = member
                if len(self._members) > self._most:
                    self._drop_one(key)
            return member

    def _drop_one(self, newest: Hashable) -> None:
        old = (each for each in self._members if each != newest)
        closed = (key for key in old if self._members[key].circuit.machine.state is State.CLOSED)
        oldest = next(iter(self._members))
        del self._members[next(closed, oldest)]


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

    def path_for(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Callable[..., Any]:
        member = family.member(args, kwargs)
        found = member.paths.get(guard)
        if found is None:
            found = member.paths[guard] = path(replace(guarded, circuit=member.circuit))
        return found

    if inspect.iscoroutinefunction(function):

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            return await path_for(args, kwargs)(*args, **kwargs)

        return call_async

    def call(*args: Any, **kwargs: Any) -> Any:
        return path_for(args, kwargs)(*args, **kwargs)

    return call


def _shown(key: Hashable) -> str:
    try:
        text = str(key)
    except Exception:  # a key may fail to describe itself
        text = type(key).__name__
    return "".join(char if char.isprintable() else " " for char in text[:_LONGEST_KEY])
