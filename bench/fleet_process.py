"""One process of a fleet that is measured: it does what it reads, and writes what came of it.

python -m bench.fleet_process URL
"""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
import threading
import time
from typing import Self

from tenuto.errors import CircuitOpenError
from tenuto.policies import CircuitBreaker, State
from tenuto.state import Answered, Operation, RedisState, Reply

OPEN_TIME = 1.0  # seconds
PROBING = 1.5  # seconds in which callers go on after that
HELD = 1.0  # seconds for which a probe goes on when no call begins any more
CALLS_EVERY = 0.0005  # seconds between two calls of who waits for a refusal
POLLS_EVERY = 0.02  # seconds between two calls of each of many


class Process:
    """One of those, as the process sees it that measures."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.fleet_process", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self, *what: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def hear(self):
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "a process of the fleet has died"
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # which closes its input


def fail(breaker: CircuitBreaker) -> int:
    """A call through ``breaker`` that fails; when it did, in nanoseconds."""
    with contextlib.suppress(ConnectionError), breaker:
        failed_at = time.monotonic_ns()
        raise ConnectionError("down")
    return failed_at


def tripping(
    name: str, node: RedisState, permits: int = 1, timeout: float = 600.0
) -> CircuitBreaker:
    """A circuit that the first failure opens, for ``timeout`` seconds."""
    return CircuitBreaker(
        name,
        failure_threshold=1,
        timeout=timeout,
        half_open_permits=permits,
        fleet=node,
    )


def _watch(node: RedisState, name: str) -> None:
    """Call until it is refused."""
    breaker, pause = tripping(name, node), threading.Event()
    _write("ready")
    while True:
        try:
            with breaker:
                pass
        except CircuitOpenError:
            _write(time.monotonic_ns())
            return
        pause.wait(CALLS_EVERY)


def _probe(node: Timed, name: str, permits: int, callers: int) -> None:
    """Have many call, before and after the circuit is half open; how many were let through."""
    breaker, pause = tripping(name, node, permits, OPEN_TIME), threading.Event()
    _write("ready")
    while breaker.state is State.CLOSED:
        pause.wait(0.001)
    _write("open")
    (ends,) = _read()
    inside = []
    del node.waited[:]

    @breaker
    def held() -> None:
        inside.append(True)
        pause.wait(max(0.0, ends + HELD - time.monotonic()))  # no caller is to meet it closed again

    def call() -> None:
        while time.monotonic() < ends:
            with contextlib.suppress(CircuitOpenError):
                held()
            pause.wait(POLLS_EVERY)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    late = sum(waited > node.patience for waited in list(node.waited))
    _write([len(inside), late])


class Timed(RedisState):
    """A node that notes how long its questions took; for ever, if there was no answer."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.waited: list[float] = []

    def ask(self, operation: Operation, answered: Answered) -> bool:
        began = time.monotonic()

        def heard(reply: Reply | None) -> None:
            self.waited.append(math.inf if reply is None else time.monotonic() - began)
            answered(reply)

        asked = super().ask(operation, heard)
        if not asked:
            self.waited.append(math.inf)
        return asked


def _read():
    return json.loads(sys.stdin.readline() or "null")


def _write(what: object) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    """Do what is read, until there is no more."""
    with Timed(sys.argv[1]) as node:
        while (told := _read()) is not None:
            what, *arguments = told
            {"watch": _watch, "probe": _probe}[what](node, *arguments)


if __name__ == "__main__":
    main()
