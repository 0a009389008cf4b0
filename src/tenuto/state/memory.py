"""What several handlers of one process share: the rules, run where they are."""

from __future__ import annotations

import math
import threading
from typing import Any
from weakref import WeakSet, finalize

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.forking import survive_forks

from .contract import After, Answered, Effect, Member, Operation, Reply, Status
from .membership import Members
from .naming import escaped, new_node
from .rules import CircuitRecord
from .standing import Standing, standing

__all__ = ["Memory", "MemoryState"]

_MOST_RECORDS = 10_000  # what is forgotten, its members still know


class Memory:
    """What nodes in one process have in common. Times are those of ``clock``."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._records: dict[tuple[Any, str], Any] = {}
        self._todo: list[Operation] = []
        self.nodes: WeakSet[MemoryState] = WeakSet()
        survive_forks(self)

    def run(self, operation: Operation) -> Reply | None:
        """Do ``operation``, and have everybody hear what is new; None: it will be done.

        That is so where the collector comes in between, and closes a call that somebody has left.
        """
        effects = []
        with self._lock:
            self._todo.append(operation)
            if len(self._todo) > 1:
                return None  # by whoever is at it
            try:
                while self._todo:
                    effects.append(self._do(self._todo[0]))
                    self._todo.pop(0)
            finally:
                self._todo.clear()
            nodes = list(self.nodes)
        later: list[After] = []
        for name, effect in effects:
            for node in nodes if effect.news is not None else ():
                later += node.members.hear(escaped(name), effect.news or ())
        for after in later:  # with no lock held: these call listeners
            after()
        return effects[0][1].reply

    def _do(self, operation: Operation) -> tuple[str, Effect]:
        script, name, args = operation
        record = self.record(script.record, name)
        return name, script.rule(record, self._clock.monotonic(), *args)

    def record(self, kind: Any, name: str) -> Any:
        """What is kept of that kind under ``name``; made, if there is none."""
        found = self._records.get((kind, name))
        if found is None:
            if len(self._records) >= _MOST_RECORDS:
                self._records.pop(next(iter(self._records)))
            found = self._records[kind, name] = kind()
        return found

    def circuits(self) -> list[Standing]:
        """Where the circuits stand that are shared here."""
        with self._lock:
            now = self._clock.monotonic()
            return [
                standing(name, record, now)
                for (kind, name), record in sorted(self._records.items(), key=_name)
                if kind is CircuitRecord
            ]

    def rest(self) -> None:
        """Come to rest before a fork. For ``forking`` only, like the two below."""
        self._lock.acquire()

    def resume(self) -> None:
        self._lock.release()

    def begin_anew_in_child(self) -> None:
        self._lock.release()


class MemoryState:
    """A node of ``memory``, which is its own unless others are given the same.

    Everything happens at once, in the thread that asks for it. A ``lease``, in seconds, need not
    end where nobody can die without taking the others along; a short one is for tests.
    """

    def __init__(self, memory: Memory | None = None, *, lease: float = math.inf) -> None:
        self.memory = Memory() if memory is None else memory
        self.node = new_node()
        self.patience = 0.0
        self.lease = lease
        self.alive = math.inf
        self.members = Members()
        self._closed = False
        self.memory.nodes.add(self)

    def join(self, member: Member) -> None:
        if not self._closed:
            self.members.add(member)
            # Nobody is forgotten here for being silent.
            finalize(member, self.memory.run, member.leave()).atexit = False
            self.touch(member)

    def touch(self, member: Member) -> None:
        if not self._closed:
            self.post(member, member.report())

    def post(self, member: Member, operation: Operation) -> None:
        reply = self.memory.run(operation)  # a probe's end counts, closed or not
        after = None if reply is None or self._closed else self.members.take(member, reply)
        if after is not None:
            after()

    def ask(self, operation: Operation, answered: Answered) -> bool:
        if self._closed:
            return False
        answered(self.memory.run(operation))
        return True

    def status(self) -> Status:
        return Status(
            where="memory",
            connected=not self._closed,
            trouble="closed" if self._closed else None,
            members=len(self.members),
            waiting=0,
            lost=0,
            unanswered=0,
            nonsense=self.members.nonsense,
            failed=0,
        )

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.memory.nodes.discard(self)
        for member in self.members.all():
            self.memory.run(member.leave())


def _name(item: tuple[tuple[Any, str], Any]) -> str:
    return item[0][1]
