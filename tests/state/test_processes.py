"""A fleet of real processes: who probes, who hears, and what becomes of those that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings

import pytest

from tenuto import forking
from tenuto.machines import State
from tenuto.policies import CircuitBreaker
from tenuto.state import MemoryState, RedisState, server
from tests.forks import in_child
from tests.state.conftest import fail, succeed, until
from tests.thoroughness import REPEATABLE

PROCESSES, CALLERS = 4, 5

# Callers that try again and again, and say in Redis what becomes of that. A probe goes on until it
# is told how to end.
WORKER = """
import os, sys, threading
import redis
from tenuto.errors import CircuitOpenError
from tenuto.policies import CircuitBreaker
from tenuto.state import RedisState

url, permits, callers, lease = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
say = redis.Redis.from_url(url)
fleet = RedisState(url, every=0.2, patience=30.0, lease=lease)
hub = CircuitBreaker(
    "hub", failure_threshold=1, timeout=1.0, half_open_permits=permits, fleet=fleet
)
me, pause = os.getpid(), threading.Event()


@hub
def work():
    if hub.circuit.machine.tally is not None:
        return
    round = hub.circuit.shared.seat.era
    say.sadd(f"test:inside:{round}", f"{me}/{threading.get_ident()}")
    while (told := say.get(f"test:end:{round}")) is None:
        pause.wait(0.01)
    if told == b"fail":
        raise ConnectionError("down")


def go_on():
    while True:
        try:
            work()
        except CircuitOpenError:
            if hub.circuit.machine.until > hub.circuit.shared.seat.until:
                say.sadd(f"test:asked:{hub.circuit.shared.seat.era}", me)
        except ConnectionError:
            pass
        else:
            if not hub.circuit.shared.seat.open:
                say.sadd("test:closed", me)
        pause.wait(0.01)


while not fleet.status().connected:
    pause.wait(0.01)
say.sadd("test:ready", me)
while hub.circuit.machine.tally is not None:
    pause.wait(0.01)
say.sadd("test:tripped", me)
say.srem("test:closed", me)
for _ in range(callers):
    threading.Thread(target=go_on, daemon=True).start()
sys.stdin.read()
"""


class Processes:
    def __init__(self, url, client):
        self.url, self.client = url, client
        self.all = []

    def start(self, number, permits, lease=60.0):
        arguments = [sys.executable, "-c", WORKER, self.url, str(permits), str(CALLERS), str(lease)]
        for _ in range(number):
            self.all.append(subprocess.Popen(arguments, stdin=subprocess.PIPE))
        until(lambda: self.said("ready") == {each.pid for each in self.all})

    def said(self, what):
        return {int(member) for member in self.client.smembers(f"test:{what}")}

    def inside(self, era):
        """Who probes in a round, one for each probe."""
        found = self.client.smembers(f"test:inside:{era}")
        return [int(member.partition(b"/")[0]) for member in found]

    def stop(self):
        for each in self.all:
            each.kill()
            each.wait()
            each.stdin.close()


@pytest.fixture
def client(url):
    import redis

    with redis.Redis.from_url(url) as client:
        yield client


@pytest.fixture
def processes(url, client):
    started = Processes(url, client)
    yield started
    started.stop()


@pytest.fixture
def hub(url):
    with RedisState(url, every=0.2, patience=30.0) as state:
        yield CircuitBreaker("hub", failure_threshold=1, timeout=1.0, fleet=state)


@pytest.mark.parametrize("permits", [3] if REPEATABLE else [1, 2, 3, 10])
def test_exactly_so_many_probes_as_are_allowed_of_all_processes(hub, processes, permits):
    processes.start(PROCESSES, permits)
    everybody = {each.pid for each in processes.all}
    until(lambda: hub.fleet.status().connected)
    fail(hub)
    until(lambda: processes.said("tripped") == everybody)
    for ending in ("fail", "succeed"):
        era = hub.circuit.shared.seat.era
        until(lambda era=era: len(processes.inside(era)) == permits)
        probing = set(processes.inside(era))
        until(
            lambda era=era, probing=probing: everybody - probing <= processes.said(f"asked:{era}")
        )
        assert len(processes.inside(era)) == permits
        processes.client.set(f"test:end:{era}", ending)
        until(lambda era=era: hub.circuit.shared.seat.era > era)
    until(lambda: hub.state is State.CLOSED)
    until(lambda: processes.said("closed") == everybody)


def test_the_permit_of_a_process_that_is_killed_goes_to_another(hub, processes):
    processes.start(2, permits=1, lease=1.0)
    until(lambda: hub.fleet.status().connected)
    fail(hub)
    until(lambda: hub.circuit.shared.seat.open)
    era = hub.circuit.shared.seat.era
    until(lambda: len(processes.inside(era)) == 1)
    (first,) = processes.inside(era)
    os.kill(first, signal.SIGKILL)
    until(lambda: len(processes.inside(era)) == 2)
    processes.client.set(f"test:end:{era}", "succeed")
    until(lambda: hub.state is State.CLOSED)


def test_a_process_that_ends_takes_its_vote_along(url, client):
    code = """
import sys
from tenuto.policies import CircuitBreaker
from tenuto.state import RedisState

hub = CircuitBreaker("hub", failure_threshold=1, quorum=2, fleet=RedisState(sys.argv[1]))
while not hub.fleet.status().connected:
    pass
try:
    with hub:
        raise ConnectionError
except ConnectionError:
    pass
while hub.fleet.status().waiting or not hub.fleet.circuits()[0].votes:
    pass
"""
    with RedisState(url) as state:
        subprocess.run([sys.executable, "-c", code, url], check=True)
        (shown,) = state.circuits()
    assert shown.votes == shown.nodes == ()


def test_a_child_of_a_fork_is_a_node_of_its_own_and_hears(url):
    with RedisState(url, every=0.1) as parent, RedisState(url, every=0.1) as other:
        here = CircuitBreaker("hub", failure_threshold=1, timeout=60.0, fleet=parent)
        there = CircuitBreaker("hub", failure_threshold=1, timeout=60.0, fleet=other)
        until(lambda: parent.status().connected)
        name, threads = parent.node, parent._threads

        def work():
            assert parent.node != name
            assert parent._threads
            assert parent._threads is not threads
            until(lambda: parent.status().connected)
            until(lambda: len(other.circuits()[0].nodes) == 4)  # the child has both
            assert succeed(here)
            fail(here)
            until(lambda: here.circuit.shared.seat.open)

        assert in_child(work)
        until(lambda: there.state is State.OPEN and here.state is State.OPEN)


def test_a_child_of_a_fork_does_not_vote_for_its_parent_or_end_its_probe(url):
    with RedisState(url, every=0.1) as parent:
        hub = CircuitBreaker("hub", failure_threshold=1, timeout=60.0, quorum=2, fleet=parent)
        until(lambda: parent.status().connected)
        fail(hub)
        until(lambda: parent.circuits()[0].votes)

        def work():
            hub.circuit.shared.touch()
            until(lambda: len(parent.circuits()[0].nodes) == 2)
            assert parent.circuits()[0].votes == (voter,)
            assert parent.circuits()[0].state is State.CLOSED

        voter = parent.node
        assert in_child(work)


def test_a_child_of_a_fork_leaves_a_closed_state_closed(url):
    closed = RedisState(url)
    CircuitBreaker("hub", fleet=closed)
    closed.close()

    def work():
        assert not closed._threads

    assert in_child(work)


@pytest.mark.parametrize("with_multiprocessing", [True, False])
def test_what_a_fork_means_to_a_state_of_a_server_is_seen_in_this_process(
    url, monkeypatch, with_multiprocessing
):
    """The same again without a child, in which nothing is measured."""
    if not with_multiprocessing:
        monkeypatch.delitem(sys.modules, "multiprocessing.util", raising=False)
    with RedisState(url, every=0.1) as parent, RedisState(url) as unused:
        hub = CircuitBreaker("hub", failure_threshold=1, timeout=60.0, quorum=2, fleet=parent)
        until(lambda: parent.status().connected)
        fail(hub)
        until(lambda: parent.circuits()[0].votes)
        name, threads, stopping = parent.node, parent._threads, parent._stopping
        forking._before()
        forking._in_child()
        server._go_on()
        stopping.set()  # these would have stayed with the parent
        assert parent.node != name
        assert unused._threads == []
        until(lambda: not any(thread.is_alive() for thread in threads))
        until(lambda: parent.status().connected)
        assert parent.circuits()[0].votes in ((), (name,))


def test_a_fork_finds_a_memory_at_rest():
    state = MemoryState()
    hub = CircuitBreaker("hub", failure_threshold=1, fleet=state)

    def work():
        fail(hub)
        assert state.memory.circuits()[0].state is State.OPEN

    assert in_child(work)
    assert state.memory.circuits()[0].state is State.CLOSED
    forking._before()
    forking._in_child()
    assert succeed(hub)


def test_a_worker_of_multiprocessing_says_goodbye(url):
    import multiprocessing

    with RedisState(url) as state:
        worker = multiprocessing.get_context("spawn").Process(target=join_and_end, args=(url,))
        worker.start()
        worker.join()
        assert worker.exitcode == 0
        assert state.circuits()[0].nodes == ()


def test_so_does_one_that_was_forked_with_its_state(url):
    import multiprocessing

    def work():
        warnings.simplefilter("ignore")  # of what measures this process, at its end
        server._AT_EXIT = 30.0  # on a machine with much else to do
        until(lambda: state.status().connected)
        until(lambda: len(state.circuits()[0].nodes) == 2)

    with RedisState(url) as state:
        hub = CircuitBreaker("hub", fleet=state)
        until(lambda: state.circuits() and state.circuits()[0].nodes)
        worker = multiprocessing.get_context("fork").Process(target=work)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a fork where there are threads
            worker.start()
        worker.join()
        assert worker.exitcode == 0
        assert len(state.circuits()[0].nodes) == 1
        assert succeed(hub)


def join_and_end(url):
    import multiprocessing.util  # noqa: F401

    server._AT_EXIT = 30.0  # on a machine with much else to do
    state = RedisState(url)
    hub = CircuitBreaker("hub", fleet=state)
    until(lambda: state.circuits() and state.circuits()[0].nodes)
    assert succeed(hub)
