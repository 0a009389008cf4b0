"""Retries that share what they should not, wait too long, or multiply."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import SimpleNamespace

import pytest

from tenuto.policies import Backoff, Retry

from .peers import installed

NO_WAIT = Backoff("fixed", initial=0.0)


def test_threads_share_no_statistics_of_a_retry(flaky):
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


def test_a_second_thread_makes_tenacity_raise_key_error_in_the_first(monkeypatch):
    tenacity = installed("tenacity")
    began, over = threading.Event(), threading.Event()

    def monotonic():
        if threading.current_thread() is second and not began.is_set():
            began.set()  # the shared statistics have just been emptied
            over.wait(10)
        return 0.0

    def let_the_second_begin(state):
        if threading.current_thread() is not second:
            second.start()
            assert began.wait(10)
        return 0.0

    @tenacity.retry(stop=tenacity.stop_after_attempt(2), wait=let_the_second_begin)
    def call():
        raise ConnectionError

    def caller():
        with contextlib.suppress(tenacity.RetryError):
            call()

    second = threading.Thread(target=caller)
    monkeypatch.setattr(tenacity, "time", SimpleNamespace(monotonic=monotonic))
    with pytest.raises(KeyError):
        call()
    over.set()
    second.join()


def throttled():
    error = ConnectionError("slow down")
    error.retry_after = 120.0
    raise error


def test_a_hint_is_not_slept_past_the_policys_own_deadline(clock):
    with pytest.raises(ConnectionError):
        Retry(deadline=5.0, clock=clock)(throttled)()
    assert clock.sleeps == []


def test_stamina_sleeps_past_its_own_timeout_on_a_hint(clock, monkeypatch):
    stamina = installed("stamina")
    monkeypatch.setattr("tenacity.nap.time", clock)
    with pytest.raises(ConnectionError):
        stamina.retry(on=lambda error: error.retry_after, attempts=2, timeout=5.0)(throttled)()
    assert clock.sleeps == [120.0]


def test_callers_do_not_share_one_sequence_of_waits(clock, flaky):
    policy = Retry(2, Backoff("linear", initial=1.0, jitter=False), clock=clock)
    outer, inner = flaky(2), policy(flaky(2))

    @policy
    def call():
        inner("x")
        return outer("x")

    call()
    assert clock.sleeps == [1.0, 2.0, 1.0, 2.0]


async def test_callers_of_hyx_share_one_sequence_of_waits(clock, monkeypatch):
    hyx = installed("hyx.retry", "hyx")
    monkeypatch.setattr("hyx.retry.manager.wait", clock.async_sleep)
    linear = installed("hyx.retry.backoffs", "hyx").linear

    @hyx.retry(attempts=2, backoff=linear(min_delay_secs=1, additive_secs=1))
    async def call():
        await asyncio.sleep(0)
        raise ConnectionError

    await asyncio.gather(call(), call(), return_exceptions=True)
    assert clock.sleeps == [1.0, 2.0, 3.0, 4.0]


def broken_off():
    """Two items, and then a failure."""
    yield 1
    yield 2
    raise ConnectionError


def read(generator):
    """The items that came before the failure."""
    items = []
    with contextlib.suppress(ConnectionError):
        while True:
            items.append(next(generator))
    return items


def test_a_generator_that_fails_is_not_replayed(clock):
    assert read(Retry(2, NO_WAIT, clock=clock)(broken_off)()) == [1, 2]


def test_stamina_replays_a_generators_items():
    stamina = installed("stamina")
    again = stamina.retry(on=ConnectionError, attempts=2, wait_initial=0, wait_jitter=0)
    assert read(again(broken_off)()) == [1, 2, 1, 2]


def test_three_layers_of_three_retries_are_four_calls_not_sixty_four(clock, flaky):
    dead = flaky(99)
    policy = Retry(3, NO_WAIT, clock=clock)
    with pytest.raises(ConnectionError):
        policy(policy(policy(dead)))("x")
    assert dead.calls == 4


def of_tenacity():
    tenacity = installed("tenacity")
    return tenacity.retry(stop=tenacity.stop_after_attempt(3), sleep=lambda seconds: None)


def of_stamina():
    return installed("stamina").retry(on=Exception, attempts=3, wait_initial=0, wait_jitter=0)


def of_backoff():
    backoff = installed("backoff")
    return backoff.on_exception(
        backoff.constant, ConnectionError, interval=0, jitter=None, max_tries=3, logger=None
    )


@pytest.mark.parametrize("peer", [of_tenacity, of_stamina, of_backoff])
def test_two_layers_of_three_attempts_of_peers_are_nine_calls(peer, flaky, monkeypatch, clock):
    policy, dead = peer(), flaky(99)
    monkeypatch.setattr("tenacity.nap.time", clock)
    with contextlib.suppress(Exception):
        policy(policy(dead))("x")
    assert dead.calls == 9


async def test_two_layers_of_three_attempts_of_hyx_are_sixteen_calls(clock, flaky, monkeypatch):
    hyx = installed("hyx.retry", "hyx")
    monkeypatch.setattr("hyx.retry.manager.wait", clock.async_sleep)
    policy, dead = hyx.retry(attempts=3), flaky(99)

    async def call():
        dead()

    with pytest.raises(installed("hyx.retry.exceptions", "hyx").MaxAttemptsExceeded):
        await policy(policy(call))()
    assert dead.calls == 16  # its three are repeats, as ours are
