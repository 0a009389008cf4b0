"""Errors that keep alive what they should not."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import traceback
import weakref

import pytest

from tenuto.errors import CircuitOpenError
from tenuto.policies import Backoff, CircuitBreaker, Retry, stack

from .peers import see

NO_WAIT = Backoff("fixed", initial=0.0)


class Tensor:
    """Something large that a frame holds."""


def test_each_refusal_is_a_new_object_and_pins_nothing(tripped, flaky):
    guarded = tripped()(flaky(0))
    refusals = []
    for _ in range(3):
        with pytest.raises(CircuitOpenError) as caught:
            guarded("x")
        refusals.append(caught.value)
    assert len({id(refusal) for refusal in refusals}) == 3
    depths = {len(traceback.extract_tb(refusal.__traceback__)) for refusal in refusals}
    assert len(depths) == 1


async def test_purgatory_raises_one_object_whose_traceback_grows_and_pins_callers_locals(
    breaker_of, flaky
):
    breaker = breaker_of("purgatory")
    await see(breaker.around(flaky(1)))
    refused = breaker.around(flaky(0))
    depths, held = [], []

    async def caller():
        tensor = Tensor()
        held.append(weakref.ref(tensor))
        try:
            await refused()
        except breaker.refusal as refusal:
            depths.append(len(traceback.extract_tb(refusal.__traceback__)))

    for _ in range(3):
        await caller()
    gc.collect()
    assert depths[0] < depths[1] < depths[2]
    assert None not in [reference() for reference in held]


async def tensor_of_a_failed_call(guard_plain):
    """A reference to what the frame of a failed call held, after that call."""
    held = []

    def call():
        tensor = Tensor()
        held.append(weakref.ref(tensor))
        raise ConnectionError

    assert await see(guard_plain(call)) is not None
    gc.collect()
    return held[0]


async def test_a_circuit_does_not_keep_what_its_last_failure_held(clock):
    policy = CircuitBreaker("hub", 1, clock=clock)
    assert (await tensor_of_a_failed_call(policy))() is None


@pytest.mark.parametrize(
    ("peer", "kept"),
    [
        ("pybreaker", False),
        ("circuitbreaker", True),
        ("aiobreaker", False),
        ("purgatory", False),
        ("hyx", False),
        ("interlock", True),
    ],
)
async def test_circuitbreaker_and_interlock_keep_it(breaker_of, peer, kept):
    breaker = breaker_of(peer, 2)
    assert ((await tensor_of_a_failed_call(breaker.around))() is not None) is kept


@pytest.mark.parametrize("with_breaker", [False, True])
def test_nothing_of_a_failed_attempt_is_held_during_the_wait(clock, with_breaker):
    held, alive = [], []

    def call():
        tensor = Tensor()
        held.append(weakref.ref(tensor))
        raise ConnectionError

    sleep = clock.sleep

    def watch(seconds):
        alive.append(held[-1]() is not None)
        sleep(seconds)

    clock.sleep = watch
    retry = Retry(2, Backoff("fixed"), clock=clock)
    guarded = (
        stack(retry, CircuitBreaker("hub", clock=clock))(call) if with_breaker else retry(call)
    )
    gc.disable()
    try:
        with pytest.raises(ConnectionError):
            guarded()
    finally:
        gc.enable()
    assert alive == [False, False]


def see_through(function):
    """Call it, await it or exhaust it, whatever it is; nothing in it suspends."""
    result = function()
    if asyncio.iscoroutine(result):
        result.send(None)
    else:
        list(result)


def fail_plainly():
    raise Loud


async def fail_async():
    raise Loud


def fail_generating():
    raise Loud
    yield


class Loud(ConnectionError):
    freed = 0

    def __del__(self):
        Loud.freed += 1


@pytest.mark.parametrize("function", [fail_plainly, fail_async, fail_generating])
def test_a_raised_error_is_freed_without_the_collector(clock, function):
    async def no_sleep(seconds):
        pass

    clock.async_sleep = no_sleep
    policy = stack(Retry(2, NO_WAIT, clock=clock), CircuitBreaker("hub", clock=clock))
    Loud.freed = 0
    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(Loud):
            see_through(policy(function))
        assert Loud.freed == 3
    finally:
        gc.enable()


def test_an_open_circuit_and_a_plain_success_leave_no_cyclic_garbage(clock, tripped, flaky):
    refused, fine = tripped()(flaky(0)), Retry(clock=clock)(flaky(0))

    def run():
        fine("x")
        with contextlib.suppress(CircuitOpenError):
            refused("x")

    run()
    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            run()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_the_context_of_the_last_error_is_not_the_error_before_it(clock):
    errors = [ConnectionError("first"), ConnectionError("second")]

    def call():
        raise errors.pop(0)

    with pytest.raises(ConnectionError, match="second") as caught:
        Retry(1, NO_WAIT, clock=clock)(call)()
    assert caught.value.__context__ is None
