"""One reader's way through one journal: a cursor, batches, and patience with its destination."""

from __future__ import annotations

import math
from typing import Protocol

from tenuto.errors import ExternalServiceError, FaultClass, RefusedError, classify
from tenuto.journal import Journal, Reader, Record
from tenuto.policies import CircuitBreaker

__all__ = ["Delivery", "Subscriber", "delivery"]

_BATCH = 100  # records
_TRIES = 3
_A_TURN = 0.5  # seconds for one destination elsewhere, before others have theirs
_FIRST_PAUSE = 1.0  # seconds a destination that failed is left alone; twice as long each time
_LONGEST_PAUSE = 300.0


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


class Delivery(Protocol):
    """How a subscriber is told."""

    own: bool
    trouble: str | None
    """What went wrong the last time, in a line; None: it went well."""

    def deliver(self) -> bool:
        """Tell what there is; whether nothing is left that could be told now."""
        ...


def delivery(journal: Journal, subscriber: Subscriber) -> Delivery:
    """The way that suits the subscriber's reader."""
    if subscriber.reader.own:
        return _Here(journal, subscriber)
    return _Elsewhere(journal, subscriber)


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
            if len(batch.records) < _BATCH:
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


class _Elsewhere:
    """Tells a destination of what all processes of the machine have put into the journal.

    Of all processes one at a time does. The destination has a circuit breaker, which opens at its
    first failure, for longer each time: until it answers, the reader falls behind, and that is all.
    """

    own = False

    def __init__(self, journal: Journal, subscriber: Subscriber) -> None:
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
        self._failures = 0
        self.trouble: str | None = None

    def deliver(self) -> bool:
        with self._journal.lease(self._subscriber.reader) as leased:
            return not leased or self._deliver()

    def _deliver(self) -> bool:
        reader, started = self._subscriber.reader, self._clock.monotonic()
        while True:
            batch = self._journal.read(reader, _BATCH)
            for record in batch.records:
                if not self._tell(record):
                    return False
                self._journal.advance(reader, record.position, [record])
                if self._clock.monotonic() - started > _A_TURN:
                    return False
            if len(batch.records) < _BATCH:
                return not batch.growing

    def _tell(self, record: Record) -> bool:
        if self._clock.monotonic() < self._not_before:
            return False
        try:
            with self._breaker:
                self._subscriber.receive(record)
        except RefusedError:
            return False
        except Exception as error:  # a broken destination is its own trouble, not the pipeline's
            return self._failed(error)
        self._failures = 0
        self.trouble = None
        return True

    def _failed(self, error: Exception) -> bool:
        """Whether the record is to be passed over."""
        self.trouble = _line(error)
        if isinstance(error, ExternalServiceError) and error.retry_after is not None:
            self._not_before = self._clock.monotonic() + error.retry_after
            self._breaker.reset()  # it answered, and said when to come back
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
    return f"{type(error).__name__}: {error}"[:200]
