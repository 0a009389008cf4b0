"""Interrupts and cancellations taken for failures, or for successes."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tenuto.errors import CircuitOpenError
from tenuto.policies import Backoff, CircuitBreaker, Retry, State

from .peers import installed, see

NO_WAIT = Backoff("fixed", initial=0.0)

NEUTRAL = [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError]
MET = [KeyboardInterrupt, asyncio.CancelledError]


def raising(error):
    async def fail():
        raise error("stop")

    def fail_plainly():
        raise error("stop")

    return fail, fail_plainly


async def cancelled(call):
    """Start ``call``, and cancel it while it hangs."""
    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def hang():
    await asyncio.Event().wait()


async def test_a_cancelled_probe_does_not_close_the_circuit_and_gives_its_permit_back(
    clock, tripped, flaky
):
    policy = tripped()
    clock.advance(60.0)
    probe = asyncio.create_task(policy(hang)())
    await asyncio.sleep(0)
    with pytest.raises(CircuitOpenError):
        policy(flaky(0))("x")
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert policy.state is State.HALF_OPEN
    assert policy(flaky(0))("x") == "x"


@pytest.mark.parametrize(
    ("peer", "state"),
    [
        ("circuitbreaker", "closed"),
        ("aiobreaker", "half open"),
        ("purgatory", "open"),
        ("hyx", "half open"),
        ("interlock", "half open"),
    ],
)
async def test_of_peers_a_cancelled_probe_closes_circuitbreaker_and_fails_purgatory(
    breaker_of, clock, flaky, peer, state
):
    breaker = breaker_of(peer)
    await see(breaker.around(flaky(1)))
    clock.advance(61)
    await cancelled(breaker.guard(hang))
    assert breaker.state == state


async def test_a_cancelled_block_closes_the_circuit_of_hyx(breaker_of, clock, flaky):
    breaker = breaker_of("hyx")
    await see(breaker.around(flaky(1)))
    clock.advance(61)

    async def block():
        async with breaker.guard:
            await hang()

    await cancelled(block)
    assert breaker.state == "closed"


@pytest.mark.parametrize("error", NEUTRAL)
async def test_interrupts_and_cancellations_count_neither_as_failure_nor_as_success(
    clock, flaky, error
):
    for stop in raising(error):
        policy = CircuitBreaker("hub", 2, clock=clock)
        dead = policy(flaky(99))
        for function in (policy(stop), policy(stop), policy(stop)):
            assert await see(function) is error
        assert policy.state is State.CLOSED
        with pytest.raises(ConnectionError):
            dead("x")
        assert await see(policy(stop)) is error
        with pytest.raises(ConnectionError):
            dead("x")  # the second in a row: the interrupt between them was no success
        assert policy.state is State.OPEN
        clock.advance(60.0)
        assert await see(policy(stop)) is error
        assert policy.state is State.HALF_OPEN
        assert policy(flaky(0))("x") == "x"


@pytest.mark.parametrize("error", MET)
@pytest.mark.parametrize(
    ("peer", "state"),
    [
        ("pybreaker", "open"),
        ("circuitbreaker", "closed"),
        ("aiobreaker", "closed"),
        ("purgatory", "open"),
        ("hyx", "closed"),
        ("interlock", "closed"),
    ],
)
async def test_pybreaker_and_purgatory_count_interrupts_as_failures(breaker_of, error, peer, state):
    breaker = breaker_of(peer, 3)
    stop = breaker.around(raising(error)[1])
    for _ in range(3):
        await see(stop)
    assert breaker.state == state


@pytest.mark.parametrize("error", MET)
async def test_circuitbreaker_counts_an_interrupt_as_a_success(breaker_of, flaky, error):
    breaker = breaker_of("circuitbreaker", 2)
    await see(breaker.around(flaky(1)))
    await see(breaker.around(raising(error)[1]))
    await see(breaker.around(flaky(1)))
    assert breaker.state == "closed"  # after two failures, with nothing but an interrupt between


async def test_hyx_counts_a_cancelled_block_as_a_success(breaker_of, flaky):
    breaker = breaker_of("hyx", 2)
    await see(breaker.around(flaky(1)))
    with contextlib.suppress(asyncio.CancelledError):
        async with breaker.guard:
            raise asyncio.CancelledError
    await see(breaker.around(flaky(1)))
    assert breaker.state == "closed"


@pytest.mark.parametrize("error", NEUTRAL)
@pytest.mark.parametrize("first", [None, ConnectionError])
async def test_interrupts_and_cancellations_are_never_retried(clock, error, first, events):
    calls = []

    def fail():
        calls.append(1)
        raise first() if first is not None and len(calls) == 1 else error("stop")

    async def fail_async():
        fail()

    for function in (fail, fail_async):
        calls.clear()
        policy = Retry(5, NO_WAIT, BaseException, clock=clock, on_event=events.append)
        assert await see(policy(function)) is error
        assert len(calls) == (1 if first is None else 2)
    assert "gave_up" not in [event.kind for event in events]


@pytest.mark.parametrize("error", MET)
async def test_tenacitys_rule_about_what_is_not_repeated_repeats_interrupts(error):
    tenacity = installed("tenacity")
    calls = []

    @tenacity.retry(
        stop=tenacity.stop_after_attempt(3), retry=tenacity.retry_if_not_exception_type(ValueError)
    )
    def stop():
        calls.append(1)
        raise error

    assert await see(stop) is tenacity.RetryError
    assert len(calls) == 3


@pytest.mark.parametrize("error", MET)
async def test_the_same_rule_of_tenacitys_in_ours_repeats_none(clock, error):
    tenacity = installed("tenacity")
    calls = []

    @Retry(retry=tenacity.retry_if_not_exception_type(ValueError), clock=clock)
    def stop():
        calls.append(1)
        raise error

    assert await see(stop) is error
    assert len(calls) == 1
