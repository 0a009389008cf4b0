"""What is alive under which name: nothing in here costs a call anything.

Whoever tests a program asks for its circuits and guards by the names that errors and events give
them. An entry goes when the guard, or the circuit, goes.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

__all__ = ["register", "registered"]

_names: WeakKeyDictionary[Any, tuple[str, ...]] = WeakKeyDictionary()


def register(thing: object, *names: str | None) -> None:
    """Have ``thing``, a guard or a circuit, found under ``names``; None is no name."""
    _names[thing] = tuple(dict.fromkeys(name for name in names if name is not None))


def registered() -> list[tuple[Any, tuple[str, ...]]]:
    """All that is alive, with its names."""
    alive = [reference() for reference in _names.keyrefs()]  # a copy: others make guards meanwhile
    return [(thing, _names[thing]) for thing in alive if thing is not None]
