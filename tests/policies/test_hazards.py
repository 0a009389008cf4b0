"""What other libraries get wrong, one regression test each, named after the hazard."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import subprocess
import sys
import threading
import traceback
import weakref

import pytest

from tenuto.errors import CircuitOpenError
from tenuto.policies import Backoff, CircuitBreaker, Retry, State, stack

NO_WAIT = Backoff("fixed", initial=0.0)

NEUTRAL = [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError]


def tripped(clock, flaky, **settings):
    policy = CircuitBreaker("hub", 1, clock=clock, **settings)
    with pytest.raises(ConnectionError):
        policy(flaky(1))("x")
    return policy


def raising(error):
    async def fail():
        raise error("stop")

    def fail_plainly():
        raise error("stop")

    return fail, fail_plainly


async def see(function):
    """What a call raised, whatever it is."""
    try:
        result = function()
        if asyncio.iscoroutine(result):
            await result
    except BaseException as error:
        return type(error)
    return None


def test_no_lock_is_held_across_the_call(clock):
    policy = CircuitBreaker("hub", clock=clock)
    inside = threading.Barrier(8, timeout=10)
    call = policy(inside.wait)  # returns only when all eight are in the call at once
    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not inside.broken
    assert policy.state is State.CLOSED


def test_two_breakers_called_in_opposite_order_do_not_deadlock(clock):
    one, other = CircuitBreaker("one", clock=clock), CircuitBreaker("other", clock=clock)
    inside = threading.Barrier(2, timeout=10)
    threads = [
        threading.Thread(target=one(other(inside.wait))),
        threading.Thread(target=other(one(inside.wait))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not inside.broken


def test_of_fifty_waiting_threads_one_probe_passes(clock, flaky):
    policy = tripped(clock, flaky)
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


async def test_of_fifty_waiting_tasks_as_many_probes_pass_as_there_are_permits(clock, flaky):
    policy = tripped(clock, flaky, half_open_permits=3)
    clock.advance(60.0)
    reached = []

    @policy
    async def call():
        reached.append(1)
        await asyncio.sleep(0)

    results = await asyncio.gather(*(call() for _ in range(50)), return_exceptions=True)
    assert len(reached) == 3
    assert sum(isinstance(result, CircuitOpenError) for result in results) == 47


async def test_a_success_that_started_before_the_trip_does_not_close_the_circuit(clock, flaky):
    policy = CircuitBreaker("hub", 1, clock=clock)
    go_on = asyncio.Event()

    @policy
    async def slow():
        await go_on.wait()

    early = asyncio.create_task(slow())
    await asyncio.sleep(0)
    with pytest.raises(ConnectionError):
        policy(flaky(1))("x")
    go_on.set()
    await early
    assert policy.state is State.OPEN


async def test_a_failure_that_started_before_the_trip_does_not_fail_the_probe(clock, flaky):
    policy = CircuitBreaker("hub", 1, clock=clock)
    go_on = asyncio.Event()

    @policy
    async def slow():
        await go_on.wait()
        raise ConnectionError

    early = asyncio.create_task(slow())
    await asyncio.sleep(0)
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


async def test_a_cancelled_probe_does_not_close_the_circuit_and_gives_its_permit_back(clock, flaky):
    policy = tripped(clock, flaky)
    clock.advance(60.0)

    @policy
    async def hang():
        await asyncio.Event().wait()

    probe = asyncio.create_task(hang())
    await asyncio.sleep(0)
    with pytest.raises(CircuitOpenError):
        policy(flaky(0))("x")
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert policy.state is State.HALF_OPEN
    assert policy(flaky(0))("x") == "x"


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


def test_eighty_per_cent_failures_never_five_in_a_row_open_the_circuit(clock):
    policy = CircuitBreaker("hub", failure_rate=0.5, clock=clock)
    calls = []

    @policy
    def mostly_dead():
        calls.append(1)
        if len(calls) % 5:
            raise ConnectionError

    for _ in range(20):
        with contextlib.suppress(ConnectionError, CircuitOpenError):
            mostly_dead()
    assert policy.state is State.OPEN
    assert len(calls) == 11  # ten to mean anything, and the next failure


def test_each_refusal_is_a_new_object_and_pins_nothing(clock, flaky):
    policy = tripped(clock, flaky)
    guarded = policy(flaky(0))
    refusals = []
    for _ in range(3):
        with pytest.raises(CircuitOpenError) as caught:
            guarded("x")
        refusals.append(caught.value)
    assert len({id(refusal) for refusal in refusals}) == 3
    depths = {len(traceback.extract_tb(refusal.__traceback__)) for refusal in refusals}
    assert len(depths) == 1


def test_setting_the_wall_clock_back_does_not_keep_a_circuit_open(clock, flaky):
    policy = tripped(clock, flaky)
    clock.set_wall_clock(0.0)
    clock.advance(60.0)
    assert policy(flaky(0))("x") == "x"


def test_threads_share_no_statistics_of_a_retry(clock, flaky):
    policy = Retry(3, Backoff("exponential", initial=0.0))
    results = []

    def caller(number):
        results.append(policy(flaky(number % 4))(number))

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(40))


def test_a_hint_is_not_slept_past_the_policys_own_deadline(clock):
    def throttled():
        error = ConnectionError("slow down")
        error.retry_after = 120.0
        raise error

    with pytest.raises(ConnectionError):
        Retry(deadline=5.0, clock=clock)(throttled)()
    assert clock.sleeps == []


def test_callers_do_not_share_one_sequence_of_waits(clock, flaky):
    policy = Retry(2, Backoff("linear", initial=1.0, jitter=False), clock=clock)
    outer, inner = flaky(2), policy(flaky(2))

    @policy
    def call():
        inner("x")
        return outer("x")

    call()
    assert clock.sleeps == [1.0, 2.0, 1.0, 2.0]


class Tensor:
    """Something large that a frame of a failed attempt holds."""


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


def test_an_open_circuit_and_a_plain_success_leave_no_cyclic_garbage(clock, flaky):
    policy = tripped(clock, flaky)
    refused, fine = policy(flaky(0)), Retry(clock=clock)(flaky(0))

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


def test_the_context_of_the_last_error_is_not_the_error_before_it(clock, flaky):
    errors = [ConnectionError("first"), ConnectionError("second")]

    def call():
        raise errors.pop(0)

    with pytest.raises(ConnectionError, match="second") as caught:
        Retry(1, NO_WAIT, clock=clock)(call)()
    assert caught.value.__context__ is None


def test_a_decorated_with_block_does_not_run_while_the_circuit_is_open(clock, flaky):
    policy = tripped(clock, flaky)
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


def test_three_layers_of_three_retries_are_four_calls_not_sixty_four(clock, flaky):
    dead = flaky(99)
    policy = Retry(3, NO_WAIT, clock=clock)
    with pytest.raises(ConnectionError):
        policy(policy(policy(dead)))("x")
    assert dead.calls == 4


def test_importing_the_policies_loads_neither_tenacity_nor_asyncio():
    code = (
        "import sys, tenuto.policies as p; p.Retry()(len)('x'); p.CircuitBreaker()(len)('x'); "
        "print([m for m in ('tenacity', 'asyncio', 'structlog', 'redis') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
