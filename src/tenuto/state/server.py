"""What a fleet shares through a server of the Redis protocol.

Three threads, each with a connection of its own, so that none waits for another: one tells the
server what members have to say, one asks it what a call waits for, one listens for news.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from functools import cache
from typing import Any, Self
from weakref import WeakSet

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.forking import survive_forks

from .asker import Asker
from .client import connect, whereabouts
from .contract import Answered, Member, Operation, Status
from .line import Line
from .listener import Listener
from .membership import Members
from .naming import new_node
from .standing import Standing, standings
from .teller import Teller
from .work import look_after

__all__ = ["RedisState"]

_TIMEOUT = 1.0  # seconds for the server to connect, or to answer what nobody waits for
_AT_EXIT = 1.0  # seconds that a process waits for its last words


class RedisState:
    """A node of the fleet that meets at ``url``, in ``namespace``.

    ``lease`` seconds after a process has died, its permits are anybody's. Every ``every`` seconds
    all is told and heard again, which makes up for whatever was lost. ``patience`` is how many
    seconds a call that may probe waits for the answer before it decides by itself.

    The threads start when the first member joins, and end with ``close``. Raises
    ConfigurationError without the extra, or where the URL is none. Nothing else raises: a server
    that is gone is tried again for as long as it takes.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "tenuto",
        lease: float = 10.0,
        every: float = 3.0,
        patience: float = 0.25,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.where = whereabouts(connect(url, _TIMEOUT, setting="state_url"))
        self.lease = lease
        self.patience = patience
        self.alive = 3 * every + _TIMEOUT
        self._url = url
        self._namespace = namespace
        self._every = every
        self._clock = clock
        self._members = Members()
        self._goodbye: Any = None
        self._registered = False
        self._closed = False
        self._begin()
        survive_forks(self)
        _alive.add(self)
        _start_in_children()

    def _begin(self) -> None:
        self.node = new_node()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        members, clock, every = self._members, self._clock, self._every
        self._teller = Teller(self._line(_TIMEOUT), members, clock, every)
        self._asker = Asker(self._line(self.patience), clock, self.patience, every)
        self._listener = Listener(
            self._line(_TIMEOUT),
            f"{self._namespace}:news",
            members,
            clock,
            every,
            lambda: self._teller.touch(*members.all()),
        )

    def _line(self, timeout: float) -> Line:
        return Line(connect(self._url, timeout, setting="state_url"), self._namespace, self._clock)

    def join(self, member: Member) -> None:
        self._members.add(member)
        self._teller.touch(member)
        self._start()

    def touch(self, member: Member) -> None:
        self._teller.touch(member)

    def post(self, member: Member, operation: Operation) -> None:
        self._teller.post(member, operation)

    def ask(self, operation: Operation, answered: Answered) -> bool:
        return self._asker.ask(operation, answered)

    def status(self) -> Status:
        lines = (self._teller.line, self._asker.line, self._listener.line)
        trouble = next((line.trouble for line in lines if not line.up), None)
        return Status(
            where=self.where,
            connected=trouble is None,
            trouble=trouble,
            members=len(self._members),
            waiting=self._teller.waiting,
            lost=self._teller.lost,
            unanswered=self._asker.unanswered,
            nonsense=self._members.nonsense,
            failed=sum(each.failed for each in (self._teller, self._asker, self._listener)),
        )

    def circuits(self) -> list[Standing]:
        """Where the circuits of the fleet stand. Raises Unreachable."""
        line = self._line(_TIMEOUT)
        try:
            found: list[Standing] = line.use(lambda client: standings(client, self._namespace))
        finally:
            line.hang_up()
        return found

    def close(self) -> None:
        with self._lock:
            self._closed = True
            threads, self._threads = self._threads, []
        atexit.unregister(self.close)
        if self._goodbye is not None:
            self._goodbye.cancel()
        self._stopping.set()
        for worker in (self._teller, self._asker, self._listener):
            worker.due.set()
        for thread in threads[:1]:  # the one that has last words to say
            thread.join(_AT_EXIT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        with self._lock:
            if self._threads or self._closed:
                return
            self._register()
            for worker in (self._teller, self._asker, self._listener):
                thread = threading.Thread(
                    target=look_after,
                    args=(worker, self._stopping, self._clock),
                    name=f"tenuto state {self.where}",
                    daemon=True,
                )
                try:
                    thread.start()
                except RuntimeError:  # no more threads, or the interpreter is going down
                    return
                self._threads.append(thread)

    def _register(self) -> None:
        if not self._registered:
            self._registered = True
            atexit.register(self.close)
        # The workers of multiprocessing end without calling what atexit has.
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            self._goodbye = util.Finalize(None, self.close, exitpriority=0)

    def rest(self) -> None:
        """Come to rest before a fork. For ``forking`` only, like the two below."""
        self._members.lock.acquire()
        self._lock.acquire()

    def resume(self) -> None:
        self._lock.release()
        self._members.lock.release()

    def begin_anew_in_child(self) -> None:
        self._begin()
        self._members.lock.release()
        members = self._members.all()
        for member in members:
            member.begin_anew_in_child()
        if members:
            self._teller.touch(*members)
            # A worker of multiprocessing begins by forgetting what is to be done at its end.
            util = sys.modules.get("multiprocessing.util")
            if util is not None:
                util.register_after_fork(self, RedisState._register)

    def go_on_in_child(self) -> None:
        """Start the threads of a child, which is to be on its own by then."""
        if len(self._members):
            self._start()


_alive: WeakSet[RedisState] = WeakSet()


@cache
def _start_in_children() -> None:
    # What is registered last is called last in a child. The client uses ``logging``, which frees
    # its own lock there: a thread that asked for it before would wait for ever.
    os.register_at_fork(after_in_child=_go_on)


def _go_on() -> None:
    for state in list(_alive):
        state.go_on_in_child()
