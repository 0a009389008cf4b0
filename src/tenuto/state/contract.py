"""What processes share, whoever keeps it: members tell what they know, and hear what is so.

A ``State`` is one node's hold of what a fleet has in common. Members, such as a circuit, join it
under a name. What a member wants done is an ``Operation``: a script, which a server runs as Lua and
memory as a plain rule, with the same result. Operations are idempotent: who does not know whether
one has arrived sends it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

__all__ = [
    "After",
    "Answered",
    "Effect",
    "Member",
    "Operation",
    "Reply",
    "Script",
    "State",
    "Status",
]

Reply: TypeAlias = Sequence[str]
"""What an operation is answered, or a member hears: texts, as they come over a wire."""

After: TypeAlias = Callable[[], None]
"""What remains to be done when no lock is held any more: to call listeners."""

Answered: TypeAlias = Callable[[Reply | None], None]
"""Called with the answer; with None, where there will be none."""


class Effect(NamedTuple):
    """What a rule comes to."""

    reply: Reply
    news: Reply | None = None
    """What every member of that name has to hear."""


@dataclass(frozen=True)
class Script:
    """Something that is done to what is shared under one name, at once and as a whole.

    ``rule(record, now, *args)`` says what that is, in Python; ``lua`` says the same for a server,
    with a key for each of ``parts``, and the channel, the name and the arguments in ``ARGV``.
    Arguments are texts or finite numbers, times are in seconds.
    """

    parts: tuple[str, ...]
    lua: str
    record: Callable[[], Any]
    """What there is under a name before anybody has said anything. Scripts of one kind have one."""
    rule: Callable[..., Effect]


class Operation(NamedTuple):
    """A script, for one name."""

    script: Script
    name: str
    args: tuple[str | float, ...]


class Member(Protocol):
    """Whoever takes part. It is held weakly: what is gone takes no part any more.

    The methods take no time and call no user code. They may be called from any thread.
    """

    @property
    def name(self) -> str:
        """What it shares with the members of other nodes that are called the same."""
        ...

    def report(self) -> Operation:
        """Tell what the member knows; sent when it is touched, and every few seconds."""
        ...

    def take(self, reply: Reply) -> After | None:
        """Take in the answer to an operation, or news. Raises ValueError for nonsense."""
        ...

    def leave(self) -> Operation:
        """The last that is heard of it, when its node closes."""
        ...

    def begin_anew_in_child(self) -> None:
        """After a fork: what the parent has said is not this node's."""
        ...


class Status(NamedTuple):
    """How a state is."""

    where: str
    connected: bool
    trouble: str | None
    """What the server, or the way to it, said last, while it is not connected."""
    members: int
    waiting: int
    """Operations that have not been sent."""
    lost: int
    """Operations that were given up, because too many waited or the server refused them."""
    unanswered: int
    """Questions that were not answered in time, so that the node has decided by itself."""
    nonsense: int
    """Answers and news that made no sense."""
    failed: int
    """Errors of the state's own, which it has survived."""


class State(Protocol):
    """One node's hold of what is shared. Nothing here raises, or waits for a server.

    Policies take it as ``fleet=…``: what ``CircuitBreaker.state`` is, is where the circuit stands.
    """

    @property
    def node(self) -> str:
        """What the node is called: no two are called the same."""
        ...

    @property
    def patience(self) -> float:
        """Seconds that somebody who asks should wait for the answer."""
        ...

    @property
    def lease(self) -> float:
        """Seconds after which what a node holds, and does not renew, is anybody's."""
        ...

    @property
    def alive(self) -> float:
        """Seconds after which a node that has not been heard of counts no longer."""
        ...

    def join(self, member: Member) -> None:
        """Let ``member`` take part."""
        ...

    def touch(self, member: Member) -> None:
        """There is something new for ``member`` to report."""
        ...

    def post(self, member: Member, operation: Operation) -> None:
        """Have ``operation`` done, soon and in order; ``member`` takes the answer in."""
        ...

    def ask(self, operation: Operation, answered: Answered) -> bool:
        """Have ``operation`` done now; whether ``answered`` will be called, or has been.

        False, at once, where nobody answers at the moment.
        """
        ...

    def status(self) -> Status:
        """How it is."""
        ...

    def close(self) -> None:
        """Send what is waiting, for a moment, and leave. What has joined goes on by itself."""
        ...
