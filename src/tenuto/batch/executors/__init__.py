"""Where the work of a run is done.

An executor takes tasks, as many at once as it has places, and tells how each attempt ended: with
an answer, or with the death of whoever was at it. It decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self, TypeAlias

from tenuto.audio.setbacks import NO_SETBACKS, Setbacks
from tenuto.batch.plan import Item
from tenuto.errors import FaultClass
from tenuto.journal import Outcome

__all__ = [
    "Answer",
    "Death",
    "Ended",
    "Executor",
    "Halt",
    "Manner",
    "Recognised",
    "Short",
    "Task",
    "Trouble",
    "Unchanged",
]


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt at one item."""

    item: Item
    setbacks: Setbacks = NO_SETBACKS
    deaths: int = 0
    """How many processes died of this item outside any tier."""
    begun: int = 0
    """How often an attempt at it was begun, this one included."""
    killed: int = 0
    """How many processes at work on it were killed from outside."""
    starved: bool = False
    """Whether a process at work on it had too little memory, so that this one may have more."""
    shares: int = 1
    """How many workers' share of the memory it may have; it takes as many places."""
    make_do: bool = False
    """Whether there is no more memory to be had for it."""
    retried: bool = False
    """Whether it was tried before, and failed by a fault that is not its own."""
    content: str = ""
    """The hash of its bytes, where that has been looked at; empty where not."""
    deadly: tuple[str, ...] = ()
    """Hashes of bytes that have killed workers: they are not to be touched, but reported."""
    trial: bool = False
    """Whether it is only to be found out if it can be done: the run has no use for its outcome."""


@dataclass(frozen=True, slots=True)
class Halt:
    """The whole run has to stop: the set-up is wrong, or something is full."""

    reason: str
    """A sentence that says what to change."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """The bytes of the item are among those that have killed workers; it was not begun."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The bytes of the item are those that its last outcome is about; it was not begun."""


@dataclass(frozen=True, slots=True)
class Short:
    """There was too little memory for it, and there may be more to be had; nothing is written."""

    errors: tuple[str, ...]
    """The event ids of what went wrong with it so far."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error on the way to an outcome."""

    step: str
    how: str
    """What failed: the same for the same fault, whatever the recording."""
    fault: FaultClass


@dataclass(frozen=True, slots=True)
class Answer:
    """An attempt came to an end of its own."""

    task: Task
    result: Outcome | Halt | Recognised | Short | Unchanged
    troubles: tuple[Trouble, ...] = ()
    content: str = ""
    """The hash of the item's bytes; empty where they could not be read."""


class Manner(StrEnum):
    """How a process died."""

    CRASHED = "crashed"
    """By a fault in native code, or it ended itself."""
    HUNG = "hung"
    STARVED = "starved"
    """There was no memory left."""
    KILLED = "killed"
    """Somebody else ended it, and nothing tells why."""


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
    words: str = ""
    """The last that it, or a library in it, wrote to standard error."""
    manner: Manner = Manner.CRASHED
    content: str = ""
    """The hash of the item's bytes; empty where it had not got so far."""


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

    def withdraw(self) -> list[Task]:
        """Take back the tasks in hand that nobody is at, if there are any."""
        ...

    def news(self) -> list[str]:
        """What people ought to know, and have not been told yet."""
        ...

    def kill(self) -> None:
        """End everything at once, whatever it is doing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
