"""Hears what the others have found out, as soon as they have."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tenuto.clock import Clock

from .bell import Bell
from .line import Line, Unreachable
from .membership import Members
from .work import do

__all__ = ["Listener"]

_AT_A_TIME = 0.5  # seconds to listen before looking whether that shall end
_SILENCE = 2.0  # seconds in which the server has to answer a ping
_LONGEST = 4096  # bytes of news


class Listener:
    """Listens on ``channel``. ``subscribed`` is called whenever something may have been missed."""

    def __init__(
        self,
        line: Line,
        channel: str,
        members: Members,
        clock: Clock,
        every: float,
        subscribed: Callable[[], None],
    ) -> None:
        self.line = line
        self.due = Bell()
        self.failed = 0
        self._channel = channel
        self._members = members
        self._clock = clock
        self._every = every
        self._subscribed = subscribed
        self._ear: Any = None
        self._heard_at = self._ping_at = 0.0

    def step(self) -> float:
        try:
            if self._ear is None:
                self._ear = self.line.use(self._subscribe)
            message = self.line.use(self._hear)
        except Unreachable:
            self._drop()
            return self.line.pause
        if message is not None and message["type"] == "subscribe":
            self._subscribed()
        elif message is not None and message["type"] == "message":
            self._take(message["data"])
        return 0.0

    def end(self) -> None:
        self._drop()
        self.line.hang_up()

    def _subscribe(self, client: Any) -> Any:
        ear = client.pubsub()
        ear.subscribe(self._channel)
        self._heard_at = self._ping_at = self._clock.monotonic()
        return ear

    def _hear(self, _: Any) -> Any:
        now = self._clock.monotonic()
        if now > self._heard_at + self._every + _SILENCE:
            raise TimeoutError("the connection for news has gone silent")
        if now >= self._ping_at:
            self._ping_at = now + self._every
            self._ear.ping()
        message = self._ear.get_message(timeout=_AT_A_TIME)
        if message is not None:
            self._heard_at = self._clock.monotonic()
        return message

    def _drop(self) -> None:
        ear, self._ear = self._ear, None
        if ear is not None:
            ear.close()

    def _take(self, data: bytes) -> None:
        told = _read(data)
        if told is None:
            self._members.nonsense += 1
            return
        for after in self._members.hear(told[0], told[1:]):
            do(after)


def _read(data: bytes) -> list[str] | None:
    """The texts that ``data`` holds; None where it holds none: anybody may publish there."""
    if len(data) > _LONGEST:
        return None
    try:
        told = json.loads(data)
    except ValueError:
        return None
    texts = isinstance(told, list) and told and all(isinstance(each, str) for each in told)
    return told if texts else None
