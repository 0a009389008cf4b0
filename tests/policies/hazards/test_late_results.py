"""A call that began before the circuit opened ends after it."""

from __future__ import annotations

import asyncio

import pytest

from tenuto.policies import CircuitBreaker, State

from .peers import see


async def begin(guard, error=None):
    """A guarded call under way: its task, and what lets it end."""
    go_on = asyncio.Event()

    async def slow():
        await go_on.wait()
        if error is not None:
            raise error

    task = asyncio.create_task(guard(slow)())
    await asyncio.sleep(0)
    return task, go_on


async def test_a_success_that_began_before_the_trip_does_not_close_the_circuit(clock, flaky):
    policy = CircuitBreaker("hub", 1, clock=clock)
    early, go_on = await begin(policy)
    with pytest.raises(ConnectionError):
        policy(flaky(1))("x")
    go_on.set()
    await early
    assert policy.state is State.OPEN


@pytest.mark.parametrize(
    ("peer", "state"),
    [
        ("circuitbreaker", "closed"),
        ("aiobreaker", "open"),
        ("purgatory", "open"),
        ("hyx", "open"),
        ("interlock", "open"),
    ],
)
async def test_of_peers_circuitbreaker_lets_such_a_success_close_an_open_circuit(
    breaker_of, flaky, peer, state
):
    breaker = breaker_of(peer)
    early, go_on = await begin(breaker.guard)
    await see(breaker.around(flaky(1)))
    assert breaker.state == "open"
    go_on.set()
    await early
    assert breaker.state == state


async def test_a_success_that_began_before_the_trip_does_not_close_a_half_open_circuit(
    clock, flaky
):
    policy = CircuitBreaker("hub", 1, clock=clock)
    early, go_on = await begin(policy)
    with pytest.raises(ConnectionError):
        policy(flaky(1))("x")
    clock.advance(60.0)

    @policy
    async def probe():
        go_on.set()
        await early
        assert policy.state is State.HALF_OPEN

    await probe()
    assert policy.state is State.CLOSED


@pytest.mark.parametrize(
    ("peer", "state"),
    [
        ("circuitbreaker", "closed"),
        ("aiobreaker", "half open"),
        ("purgatory", "closed"),
        ("hyx", "closed"),
        ("interlock", "half open"),
    ],
)
async def test_peers_all_but_aiobreaker_and_interlock_let_it_close_a_half_open_circuit(
    breaker_of, clock, flaky, peer, state
):
    breaker = breaker_of(peer)
    early, go_on = await begin(breaker.guard)
    await see(breaker.around(flaky(1)))
    clock.advance(61)
    seen = []

    async def probe():
        seen.append(breaker.state)
        go_on.set()
        await early
        seen.append(breaker.state)

    await breaker.guard(probe)()
    assert seen == ["half open", state]


async def test_a_failure_that_began_before_the_trip_does_not_fail_the_probe(clock, flaky):
    policy = CircuitBreaker("hub", 1, clock=clock)
    early, go_on = await begin(policy, ConnectionError())
    with pytest.raises(ConnectionError):
        policy(flaky(1))("x")
    clock.advance(60.0)

    @policy
    async def probe():
        go_on.set()
        with pytest.raises(ConnectionError):
            await early

    await probe()
    assert policy.state is State.CLOSED
