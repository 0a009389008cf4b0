"""One connection to the server, which is left alone for a while when it fails."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from tenuto.clock import Clock
from tenuto.machines import Breaker, BreakerSettings, Event, Permit, State

from .client import as_text
from .contract import Operation, Reply, Script
from .naming import escaped

if TYPE_CHECKING:
    from redis import Redis

__all__ = ["Answer", "Line", "Unreachable"]

# The first failure opens it: a connection that failed once has to be made anew in any case.
_PATIENCE = BreakerSettings(failure_threshold=1, timeout=0.1, max_timeout=5.0)
_LONGEST_TROUBLE = 200  # characters

Answer = Reply | Exception
"""What came of an operation: the server may refuse one, and do the others."""


class Unreachable(Exception):  # noqa: N818 - it is no error of anybody's who calls
    """The server does not answer, or does nothing of what it is asked."""


class Line:
    """A connection of one thread's. It notices by itself whether it may be worth trying again."""

    def __init__(self, client: Redis, namespace: str, clock: Clock) -> None:
        self._client = client
        self._namespace = namespace
        self._clock = clock
        self._breaker = Breaker(_PATIENCE, clock.monotonic())
        self.trouble: str | None = "not connected yet"
        """What was wrong last, while it is."""

    @property
    def up(self) -> bool:
        """Whether it worked when it was used last."""
        return self.trouble is None

    @property
    def pause(self) -> float:
        """Seconds until it may be tried again."""
        return self._breaker.retry_after(self._clock.monotonic()) or 0.0

    def run(self, operations: Sequence[Operation]) -> list[Answer]:
        """Have the server do ``operations``, one after the other. Raises Unreachable."""
        answers: list[Answer] = self.use(lambda client: self._pipe(client, operations))
        return answers

    def use(self, talk: Any) -> Any:
        """``talk(client)``, if it is time to try. Raises Unreachable, and nothing else."""
        permit = self._breaker.admit(self._clock.monotonic())
        if permit is None:
            raise Unreachable(self.trouble)
        try:
            result = talk(self._client)
        except Exception as error:  # of the client, the network, the server: all mean the same
            self._fail(permit, error)
            raise Unreachable(self.trouble) from None
        self._breaker.on(Event.SUCCEEDED, self._clock.monotonic(), permit)
        self.trouble = None
        return result

    def hang_up(self) -> None:
        """Let go of the connection."""
        with suppress(Exception):  # there is nothing to be lost any more
            self._client.close()

    def _fail(self, permit: Permit, error: Exception) -> None:
        self.trouble = _told(error)
        now, chance = self._clock.monotonic(), self._clock.random()
        self._breaker.on(Event.FAILED, now, permit, chance=chance)
        assert self._breaker.state is State.OPEN
        # What comes back on it later would be taken for the answer to something else; and a
        # server that has become a replica says READONLY for as long as it is asked.
        with suppress(Exception):  # it is lost already
            self._client.connection_pool.disconnect()

    def _pipe(self, client: Any, operations: Sequence[Operation]) -> list[Answer]:
        from redis.exceptions import NoScriptError

        answers = self._ask(client, "EVALSHA", operations)
        missing = [i for i, each in enumerate(answers) if isinstance(each, NoScriptError)]
        if missing:  # the server is new, or another
            again = self._ask(client, "EVAL", [operations[i] for i in missing])
            for i, answer in zip(missing, again, strict=True):
                answers[i] = answer
        refusals = [each for each in answers if isinstance(each, Exception)]
        if refusals and len(refusals) == len(answers):
            raise refusals[0]
        return answers

    def _ask(self, client: Any, how: str, operations: Sequence[Operation]) -> list[Answer]:
        with client.pipeline(transaction=False) as pipe:
            for script, name, args in operations:
                code = _digest(script) if how == "EVALSHA" else script.lua
                keys = [f"{self._namespace}:{{{escaped(name)}}}:{part}" for part in script.parts]
                pipe.execute_command(
                    how, code, len(keys), *keys, f"{self._namespace}:news", escaped(name), *args
                )
            return [_read(answer) for answer in pipe.execute(raise_on_error=False)]


@cache
def _digest(script: Script) -> str:
    return hashlib.sha1(script.lua.encode(), usedforsecurity=False).hexdigest()


def _read(answer: Any) -> Answer:
    if isinstance(answer, Exception):
        return answer
    return [as_text(each) for each in answer]


def _told(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    return "".join(char if char.isprintable() else " " for char in text)[:_LONGEST_TROUBLE]
