"""Circuits that are open because a test says so."""

from __future__ import annotations

import copy
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

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
        before = copy.copy(circuit.machine)
        circuit.machine.on(Event.FORCE_OPEN, circuit.monotonic())
    try:
        yield
    finally:
        with lock:
            for part in Breaker.__slots__:  # calls look at this very machine
                setattr(circuit.machine, part, getattr(before, part))
