"""A gate with so many places, and a queue: what bulkheads and concurrency limits share."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from threading import RLock
from typing import Any, ClassVar, Protocol, TypeAlias

from tenuto.clock import Clock
from tenuto.errors import RefusalReason, RefusedError, classify
from tenuto.machines import Places
from tenuto.policies.deadline import time_left
from tenuto.policies.events import EventKind, Listener, PolicyEvent, announce

from .outcome import Outcome
from .parking import Park, Waiter
from .steps import Steps

__all__ = ["LONGEST_WAIT", "Args", "Kwargs", "QueueTerms", "QueuedGate"]

Args: TypeAlias = tuple[Any, ...]
Kwargs: TypeAlias = Mapping[str, Any]

LONGEST_WAIT = 1e9  # seconds: what waits of the operating system still take


class QueueTerms(Protocol):
    """How many may wait, and for how long."""

    @property
    def name(self) -> str | None: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def on_event(self) -> Listener | None: ...
    @property
    def queue(self) -> int: ...
    @property
    def max_wait(self) -> float | None: ...


class QueuedGate:
    """What all calls through one policy share: its places, and the lock that guards the queue.

    While nobody waits, a call takes a place and gives it back without the lock. The lock is never
    held for a call, a wait or a listener. It is re-entrant: the collector may end an abandoned
    call, which gives its place back, in a thread that holds the lock.
    """

    # The arguments of a call, which other gates look at, make no difference here: hence the noqas.

    __slots__ = ("_free", "_lock", "_queue", "clock", "places", "terms")

    kind: ClassVar[str]
    refusal: ClassVar[type[RefusedError]]

    def __init__(self, terms: QueueTerms, limit: int) -> None:
        self.terms = terms
        self.clock = terms.clock
        self.places: Places[Waiter] = Places(limit, terms.queue)
        self._free, self._queue = self.places.free, self.places.queue
        self._lock = RLock()

    def admit(self, args: Args, kwargs: Kwargs) -> Any | None:  # noqa: ARG002
        if self._queue or self.places.surplus:
            return None
        try:
            return self._free.pop()
        except IndexError:
            return None

    def enter(self, name: str, args: Args, kwargs: Kwargs) -> Generator[Park, Any, object]:  # noqa: ARG002
        patience = self._patience()
        waiter, reason, waits = Waiter(), None, False
        with self._lock:
            lucky = self.places.hand_out()
            if self.places.take():
                pass
            elif patience is not None and patience <= 0:
                reason = RefusalReason.QUEUE_TIMEOUT
            elif self.places.join(waiter):
                waits = True
                lucky += self.places.hand_out()  # who gave a place back may not have seen us
            else:
                reason = RefusalReason.QUEUE_FULL
        self._tell_lucky(lucky)
        if waits:
            try:
                yield Park(waiter, patience)
            except BaseException:  # interrupted, cancelled or dropped: somebody else can have it
                if not self._leave(waiter):
                    self.release()
                raise
            if self._leave(waiter):
                reason = RefusalReason.QUEUE_TIMEOUT
        return self.permit() if reason is None else self._refuse(name, reason)

    def settle(self, permit: Any, error: BaseException | None, name: str) -> None:  # noqa: ARG002
        self._free.append(True)
        if self._queue or self.places.surplus:
            self._hand_out()

    def permit(self) -> object:
        """What a call that has got a place goes under."""
        return True

    def release(self) -> None:
        """A place is free, and nothing is said of the call that had it."""
        QueuedGate.settle(self, None, None, "")

    def block(self) -> Steps:
        """The way into a ``with`` block; it ends with the permit."""
        permit = yield from self.enter(self.kind, (), {})
        return Outcome(error=permit) if isinstance(permit, RefusedError) else Outcome(permit)

    def resize(self, limit: int) -> None:
        """Have ``limit`` places from now on, and a queue as the terms say."""
        with self._lock:
            self.places.room = self.terms.queue
            lucky = self.places.resize(limit)
        self._tell_lucky(lucky)

    def retry_after(self) -> float | None:
        """Seconds until a place is likely to be free, where anybody can say."""
        return None

    def announce(self, kind: EventKind, name: str, refusal: RefusedError | None = None) -> None:
        listener = self.terms.on_event
        if listener is None:
            return
        event = PolicyEvent(
            kind,
            self.kind,
            self.terms.name or name,
            error=refusal,
            fault_class=None if refusal is None else classify(refusal),
            wait=None if refusal is None else refusal.retry_after,
            reason=None if refusal is None else refusal.reason,
            limit=self.places.limit,
        )
        announce(listener, event)

    def _refuse(self, name: str, reason: RefusalReason) -> RefusedError:
        """The error for a call that gets no place: a new one each time."""
        refusal = self.refusal(
            service=self.terms.name or name, reason=reason, retry_after=self.retry_after()
        )
        self.announce(EventKind.REFUSED, name, refusal)
        return refusal

    def _patience(self) -> float | None:
        """How many seconds a call may wait; None: as long as it takes."""
        limits = (self.terms.max_wait, time_left())
        least = min((each for each in limits if each is not None), default=None)
        return None if least is None else min(least, LONGEST_WAIT)

    def _leave(self, waiter: Waiter) -> bool:
        with self._lock:
            return self.places.leave(waiter)

    def _hand_out(self) -> None:
        with self._lock:
            lucky = self.places.hand_out()
        self._tell_lucky(lucky)

    @staticmethod
    def _tell_lucky(lucky: Iterable[Waiter]) -> None:
        for waiter in lucky:
            waiter.grant()
