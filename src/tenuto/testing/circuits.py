"""Circuits that are open because a test says so."""

from __future__ import annotations

import copy
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from tenuto.machines import Breaker, Event
from tenuto.policies.engine.circuit import Circuit

from .names import circuits_named

__all__ = ["force_open"]


@contextmanager
def force_open(name: str) -> Generator[None, None, None]:
    """Have every breaker called ``name`` refuse its calls in the block.

    After it they are as they were before: what they had counted, and how long they stay open.
    Listeners hear of the refusals, not of the forcing. A breaker without a name goes by the name
    of what it guards.

    Raises ConfigurationError, with the names there are, where no breaker is called so.
    """
    with ExitStack() as restored:
        for circuit in circuits_named(name):
            restored.enter_context(_forced_open(circuit))
        yield


@contextmanager
def _forced_open(circuit: Circuit) -> Generator[None, None, None]:
    lock = circuit._lock  # noqa: SLF001 - nobody else may set a state
    with lock:
        blocks = _blocks.get(circuit)
        if blocks is None:
            blocks = _blocks[circuit] = _Blocks(copy.copy(circuit.machine))
            circuit.machine.on(Event.FORCE_OPEN, circuit.monotonic())
        blocks.open += 1
    try:
        yield
    finally:
        with lock:
            blocks.open -= 1
            if not blocks.open:  # they may be left in any order
                del _blocks[circuit]
                for part in Breaker.__slots__:  # calls look at this very machine
                    setattr(circuit.machine, part, getattr(blocks.before, part))


@dataclass(slots=True)
class _Blocks:
    before: Breaker
    open: int = 0


_blocks: WeakKeyDictionary[Circuit, _Blocks] = WeakKeyDictionary()
