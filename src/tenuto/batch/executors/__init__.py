"""Where the work of a run is done.

An executor takes tasks, as many at once as it has places, and tells how each attempt ended: with
an answer, or with the death of whoever was at it. It decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self, TypeAlias

from tenuto.audio.setbacks import NO_SETBACKS, Setbacks
from tenuto.batch.plan import Item
from tenuto.journal import Outcome

__all__ = ["Answer", "Death", "Ended", "Executor", "Halt", "Task"]


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt at one item."""

    item: Item
    setbacks: Setbacks = NO_SETBACKS
    deaths: int = 0
    """How many processes died of this item outside any tier."""


@dataclass(frozen=True, slots=True)
class Halt:
    """The whole run has to stop: the set-up is wrong, or something is full."""

    reason: str
    """A sentence that says what to change."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An attempt came to an end of its own."""

    task: Task
    result: Outcome | Halt


@dataclass(frozen=True, slots=True)
class Death:
    """The process at work on ``task`` died."""

    task: Task
    given_out: float
    """When the attempt was given to it, in seconds since 1970 UTC."""
    pid: int
    cause: str
    """For people: ``killed by SIGSEGV``."""
    stack: tuple[str, ...] = ()
    """Where it was, innermost first, if it could still say so."""


Ended: TypeAlias = Answer | Death


class Executor(Protocol):
    """Does tasks somewhere else."""

    @property
    def places(self) -> int:
        """How many tasks it works on at once."""
        ...

    def submit(self, task: Task) -> None:
        """Begin ``task``. There must be a free place."""
        ...

    def wait(self, timeout: float) -> list[Ended]:
        """The attempts that have ended; waits up to ``timeout`` seconds for the first of them."""
        ...

    def kill(self) -> None:
        """End everything at once, whatever it is doing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
