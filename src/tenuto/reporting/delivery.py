"""One reader's way through one journal: a cursor, batches, and patience with its destination."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from tenuto.capture import message_of
from tenuto.errors import ExternalServiceError, FaultClass, RefusedError, classify
from tenuto.journal import Journal, Reader, Record
from tenuto.policies import CircuitBreaker

from .oneline import one_line

__all__ = ["Delivery", "Gatherer", "NotYet", "Subscriber", "delivery"]

_BATCH = 100  # records
_TRIES = 3
_A_TURN = 0.5  # seconds for one destination elsewhere, before others have theirs
_FIRST_PAUSE = 1.0  # seconds a destination that failed is left alone; twice as long each time
_LONGEST_PAUSE = 300.0
_LONGEST_REFUSAL = 86_400.0  # of one that a process before this one was told of


class Subscriber(Protocol):
    """Somebody who is told what is in a journal, at least once, and in order."""

    @property
    def reader(self) -> Reader:
        """The name and the scope of its cursor."""
        ...

    def receive(self, record: Record) -> None:
        """Called on the pump's thread. A record that raises three times is skipped and counted.

        A reader of the whole machine's journal is left alone for a while where the error says that
        its destination is failing, and is told again later: however long that takes, nothing is
        skipped. Where the error has a ``retry_after``, in seconds, it is left alone for that long.
        """
        ...


@runtime_checkable
class Gatherer(Protocol):
    """A subscriber to the whole machine's journal that is told of many records at once."""

    at_once: int
    """How many records, at most."""

    @property
    def reader(self) -> Reader: ...

    def receive_all(self, records: Sequence[Record]) -> int:
        """Take some of ``records``, which are never none, from the first on; how many.

        It is told of the others again. Errors are dealt with as those of ``Subscriber.receive``:
        it is the first record that is skipped. Raises NotYet where it takes none for now.
        """
        ...


class NotYet(Exception):  # noqa: N818 - nothing is wrong
    """Raised by a subscriber that wants to be told of the same again, after ``seconds``."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"in {seconds:.1f} s")
        self.seconds = seconds


class Delivery(Protocol):
    """How a subscriber is told."""

    own: bool
    trouble: str | None
    """What went wrong the last time, in a line; None: it went well."""

    def deliver(self) -> bool:
        """Tell what there is; whether nothing is left that could be told now."""
        ...


def delivery(journal: Journal, subscriber: Subscriber | Gatherer) -> Delivery:
    """The way that suits the subscriber's reader."""
    if isinstance(subscriber, Gatherer):
        return _Elsewhere(journal, subscriber)
    if subscriber.reader.own:
        return _Here(journal, subscriber)
    return _Elsewhere(journal, _OneByOne(subscriber))


class _Here:
    """Tells a process of its own records."""

    own = True

    def __init__(self, journal: Journal, subscriber: Subscriber) -> None:
        self._journal = journal
        self._subscriber = subscriber
        self._failures = 0
        self.trouble: str | None = None

    def deliver(self) -> bool:
        reader = self._subscriber.reader
        while True:
            batch = self._journal.read(reader, _BATCH)
            for record in batch.records:
                if not self._tell(record):
                    return False
                self._journal.advance(reader, record.position)
            self._journal.advance(reader, batch.position)
            if not batch.more:
                return True

    def _tell(self, record: Record) -> bool:
        try:
            self._subscriber.receive(record)
        except Exception as error:  # a broken destination is its own trouble, not the pipeline's
            self.trouble = _line(error)
            self._failures += 1
            if self._failures < _TRIES:
                return False
            self._journal.count_loss(f"{self._subscriber.reader.name}: {type(error).__name__}")
        self._failures = 0
        return True


class _OneByOne:
    """A subscriber that is told of one record at a time."""

    at_once = 1

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber

    @property
    def reader(self) -> Reader:
        return self._subscriber.reader

    def receive_all(self, records: Sequence[Record]) -> int:
        self._subscriber.receive(records[0])
        return 1


class _Elsewhere:
    """Tells a destination of what all processes of the machine have put into the journal.

    Of all processes one at a time does. The destination has a circuit breaker, which opens at its
    first failure, for longer each time: until it answers, the reader falls behind, and that is all.
    """

    own = False

    def __init__(self, journal: Journal, subscriber: Gatherer) -> None:
        self._journal = journal
        self._subscriber = subscriber
        self._clock = journal.clock
        self._breaker = CircuitBreaker(
            subscriber.reader.name,
            failure_threshold=1,
            timeout=_FIRST_PAUSE,
            max_timeout=_LONGEST_PAUSE,
            clock=journal.clock,
        )
        self._not_before = -math.inf
        self._heeded: float | None = None
        self._failures = 0
        self.trouble: str | None = None

    def deliver(self) -> bool:
        with self._journal.lease(self._subscriber.reader) as leased:
            return not leased or self._deliver()

    def _heed(self) -> None:
        """Keep away for as long as this process, or another, was asked to."""
        until, why = self._journal.refusal(self._subscriber.reader) or (None, None)
        if until is not None and until != self._heeded:
            # A clock that was set back must not hold anything for ever.
            left = min(until - self._clock.now(), _LONGEST_REFUSAL)
            self._not_before = self._clock.monotonic() + left
            self.trouble = why
        self._heeded = until

    def _deliver(self) -> bool:
        reader, at_once = self._subscriber.reader, self._subscriber.at_once
        started = self._clock.monotonic()
        while self._clock.monotonic() >= self._not_before:
            batch = self._journal.read(reader, max(at_once, _BATCH))
            left = batch.records
            if left:
                self._heed()
            while left:
                part = left[:at_once]
                done = self._tell(part)
                if not done:
                    return False
                self._journal.advance(reader, part[done - 1].position, part[:done])
                if self._clock.monotonic() - started > _A_TURN:
                    return False
                left = left[done:]
            if batch.spoilt:
                self._journal.advance(reader, batch.position)
            if not batch.more:
                return not batch.growing
        return False

    def _tell(self, records: Sequence[Record]) -> int:
        """How many of them are done with."""
        if self._clock.monotonic() < self._not_before:
            return 0
        try:
            with self._breaker:
                done = self._receive(records)
        except RefusedError:
            return 0
        except Exception as error:  # a broken destination is its own trouble, not the pipeline's
            return 1 if self._failed(error) else 0
        self._failures = 0
        self.trouble = None
        return done

    def _receive(self, records: Sequence[Record]) -> int:
        try:
            return self._subscriber.receive_all(records)
        except NotYet as pause:
            self._not_before = self._clock.monotonic() + pause.seconds
            return 0

    def _failed(self, error: Exception) -> bool:
        """Whether the first record is to be passed over."""
        self.trouble = _line(error)
        refused = error.retry_after if isinstance(error, ExternalServiceError) else None
        until = None
        if refused is not None:
            self._not_before = self._clock.monotonic() + refused
            self._breaker.reset()  # it answered, and said when to come back
            until = self._heeded = self._clock.now() + refused
        self._journal.note_trouble(self._subscriber.reader, self.trouble, refused_until=until)
        if refused is not None:
            return False
        if classify(error, FaultClass.BUG) in (FaultClass.INFRASTRUCTURE, FaultClass.RESOURCE):
            return False
        self._failures += 1
        if self._failures < _TRIES:
            return False
        self._failures = 0
        self._journal.count_loss(f"{self._subscriber.reader.name}: {type(error).__name__}")
        return True


def _line(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {message_of(error)}")[:200]
