"""What is guarded under a name."""

from __future__ import annotations

from typing import Any

from tenuto.errors import ConfigurationError
from tenuto.policies.engine.circuit import Circuit
from tenuto.policies.engine.registry import registered

from .inside import find_inside

__all__ = ["circuits_named", "guards_named"]


def circuits_named(name: str) -> list[Circuit]:
    """The circuits of breakers called ``name``; those of nameless ones go by what they guard.

    Raises ConfigurationError where there is none.
    """
    found: dict[Circuit, tuple[str, ...]] = {}
    for thing, names in registered():
        if isinstance(thing, Circuit):
            found.setdefault(thing, names)
            continue
        for circuit in find_inside(thing, Circuit):
            if circuit.terms.name is None:
                found[circuit] = (*found.get(circuit, ()), *names)
    return _named(name, list(found.items()), "breaker")


def guards_named(name: str) -> list[Any]:
    """The guards next to the functions that are guarded under ``name``.

    Raises ConfigurationError where there is none.
    """
    guards = {guard: names for guard, names in registered() if not isinstance(guard, Circuit)}
    chosen = _named(name, list(guards.items()), "guard")
    return list(dict.fromkeys(_innermost(guard, guards) for guard in chosen))


def _innermost(guard: Any, guards: dict[Any, tuple[str, ...]]) -> Any:
    while guard.__wrapped__ in guards:
        guard = guard.__wrapped__
    return guard


def _named(name: str, things: list[tuple[Any, tuple[str, ...]]], kind: str) -> list[Any]:
    chosen = [thing for thing, names in things if name in names]
    if not chosen:
        known = sorted({each for _, names in things for each in names})
        there_are = f"there are {', '.join(map(repr, known))}" if known else "there is none at all"
        raise ConfigurationError(
            "name", f"there is no {kind} of the name {name!r} now; {there_are}"
        )
    return chosen
