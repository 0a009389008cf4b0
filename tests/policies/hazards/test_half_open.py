"""More callers get through a circuit that is not closed than should."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tenuto.errors import CircuitOpenError
from tenuto.policies import State

from .peers import see


def test_of_fifty_waiting_threads_one_probe_passes(clock, tripped):
    policy = tripped()
    clock.advance(60.0)
    reached, refused = [], []
    ready, done = threading.Barrier(50, timeout=10), threading.Event()

    @policy
    def call():
        reached.append(1)
        assert done.wait(10)

    def caller():
        ready.wait()
        try:
            call()
        except CircuitOpenError:
            refused.append(1)
            if len(refused) == 49:
                done.set()

    threads = [threading.Thread(target=caller) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(reached), len(refused)) == (1, 49)
    assert policy.state is State.CLOSED


async def test_of_fifty_waiting_tasks_as_many_probes_pass_as_there_are_permits(clock, tripped):
    policy = tripped(half_open_permits=3)
    clock.advance(60.0)
    reached = []

    @policy
    async def call():
        reached.append(1)
        await asyncio.sleep(0)

    results = await asyncio.gather(*(call() for _ in range(50)), return_exceptions=True)
    assert len(reached) == 3
    assert sum(isinstance(result, CircuitOpenError) for result in results) == 47


@pytest.mark.parametrize(
    ("peer", "passed"),
    [("circuitbreaker", 50), ("aiobreaker", 50), ("purgatory", 50), ("hyx", 50), ("interlock", 1)],
)
async def test_peers_all_but_interlock_let_fifty_of_fifty_waiting_tasks_pass(
    breaker_of, clock, flaky, peer, passed
):
    breaker = breaker_of(peer)
    await see(breaker.around(flaky(1)))
    assert breaker.state == "open"
    clock.advance(61)
    reached = []

    async def call():
        reached.append(1)
        await asyncio.sleep(0)

    guarded = breaker.guard(call)
    await asyncio.gather(*(guarded() for _ in range(50)), return_exceptions=True)
    assert len(reached) == passed


def test_a_with_block_does_not_run_while_the_circuit_is_open(tripped):
    policy = tripped()
    ran = []

    @policy
    def decorated():
        with policy:
            ran.append(1)

    with pytest.raises(CircuitOpenError):
        decorated()
    with pytest.raises(CircuitOpenError), policy:
        ran.append(1)
    assert ran == []


async def test_circuitbreaker_runs_a_with_block_while_open_and_closes_by_it(breaker_of, flaky):
    breaker = breaker_of("circuitbreaker")
    await see(breaker.around(flaky(1)))
    states = [breaker.state]
    with breaker.guard:
        states.append("in the block")
    assert [*states, breaker.state] == ["open", "in the block", "closed"]
