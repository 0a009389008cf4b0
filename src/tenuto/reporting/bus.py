"""The journals of many machines become one, through a Redis stream.

Each machine appends what is in its journal to the stream; collectors take it into a central one. An
entry leaves the stream when it is in the central journal, and not before. Both ends may die
anywhere: what is sent or taken twice is known by its place in its own journal, and counts once.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tenuto.journal import Foreign, Journal, Reader, Record
from tenuto.state.client import connect

__all__ = ["STREAM", "Collector", "RedisBus"]

STREAM = "tenuto:journal"

_GROUP = "collectors"
_TIMEOUT = 2.0  # seconds for Redis to connect, or to answer
_AT_ONCE = 200  # entries
_BEYOND_ALL = 1 << 62  # no place in a journal
_ABANDONED = 60_000  # milliseconds: what a collector has held for so long, another takes over


class RedisBus:
    """A subscriber that appends everything in ``journal`` to the stream of ``url``.

    Raises ConfigurationError without the extra, or where the URL is none.
    """

    def __init__(self, url: str, journal: Journal, *, stream: str = STREAM) -> None:
        self._redis = connect(url, _TIMEOUT, setting="url")
        self._stream = stream
        self._journal = journal
        self._identity: str | None = None
        at = urlsplit(url)
        self.reader = Reader(f"redis {at.hostname}:{at.port or 6379} {stream}", everything=True)

    def receive(self, record: Record) -> None:
        """Append one record. Raises ``redis.RedisError`` where the server does not take it."""
        if self._identity is None:
            self._identity = self._journal.identity()
        fields: dict[Any, Any] = {
            "journal": self._identity,
            "position": record.position,
            "process": record.process,
            "kind": record.kind,
            "body": json.dumps(record.body),
        }
        self._redis.xadd(self._stream, fields)


class Collector:
    """Takes what is in the stream of ``url`` into ``journal``. There may be several.

    Raises ConfigurationError without the extra, or where the URL is none.
    """

    def __init__(self, url: str, journal: Journal, *, stream: str = STREAM) -> None:
        self._redis = connect(url, _TIMEOUT, setting="url")
        self._journal = journal
        self._stream = stream
        self._name = f"{socket.gethostname()}-{os.getpid()}"

    def collect(self, *, wait: float = 0.0) -> int:
        """Take in what there is, after at most ``wait`` seconds without anything.

        Returns the number of records that were new. Raises ``redis.RedisError`` where the server
        does not answer, ``sqlite3.Error`` or ``OSError`` where the journal cannot be written: then
        the entries stay in the stream.
        """
        self._prepare()
        new = 0
        for entries in self._batches(wait):
            new += self._journal.collect([each for _, each in entries if each is not None])
            for _, each in entries:
                if each is None:
                    self._journal.count_loss("collecting: unreadable entry")
            ids = [entry for entry, _ in entries]
            with self._redis.pipeline(transaction=True) as both:
                both.xack(self._stream, _GROUP, *ids)
                both.xdel(self._stream, *ids)
                both.execute()
        return new

    def _prepare(self) -> None:
        """Make the group. Done each time: a server may have come back empty."""
        from redis import ResponseError

        try:
            self._redis.xgroup_create(self._stream, _GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _batches(self, wait: float) -> Iterator[list[tuple[bytes, Foreign | None]]]:
        """First what is this collector's own or nobody's any more, then what is new."""
        # redis-py says of its answers only what holds for every protocol and client.
        redis: Any = self._redis
        cursor = b"0-0"
        while True:
            cursor, entries, _ = redis.xautoclaim(
                self._stream, _GROUP, self._name, _ABANDONED, cursor, count=_AT_ONCE
            )
            if entries:
                yield [(entry, _foreign(fields)) for entry, fields in entries]
            if cursor == b"0-0":
                break
        block = int(wait * 1000) or None
        while answer := redis.xreadgroup(
            _GROUP, self._name, {self._stream: ">"}, count=_AT_ONCE, block=block
        ):
            block = None
            for _, entries in answer:
                yield [(entry, _foreign(fields)) for entry, fields in entries]


def _foreign(fields: dict[bytes, bytes]) -> Foreign | None:
    """The record that an entry holds; None where it holds none: anybody may write to a stream."""
    try:
        body = json.loads(fields[b"body"])
        position = int(fields[b"position"])
        if not 0 < position < _BEYOND_ALL:
            return None
        return Foreign(
            journal=fields[b"journal"].decode(),
            position=position,
            process=fields[b"process"].decode(),
            kind=fields[b"kind"].decode(),
            body=dict(body),
        )
    except (KeyError, RecursionError, TypeError, ValueError):
        return None
