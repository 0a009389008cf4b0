"""A lock held while the guarded function runs."""

from __future__ import annotations

import threading

import pytest

from tenuto.policies import CircuitBreaker, State

from .peers import installed


def run_together(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_no_lock_is_held_across_the_call(clock):
    policy = CircuitBreaker("hub", clock=clock)
    inside = threading.Barrier(8, timeout=10)
    run_together(*[policy(inside.wait)] * 8)  # returns only when all are in the call at once
    assert not inside.broken
    assert policy.state is State.CLOSED


def test_pybreaker_holds_its_lock_across_the_call():
    breaker = installed("pybreaker").CircuitBreaker()
    free = []

    def call():
        run_together(lambda: free.append(breaker._lock.acquire(blocking=False)))

    breaker.call(call)
    assert free == [False]


@pytest.mark.parametrize("peer", ["circuitbreaker", "aiobreaker", "interlock"])
def test_other_peers_hold_none(breaker_of, peer):
    inside = threading.Barrier(2, timeout=10)

    def call():
        inside.wait()

    run_together(*[breaker_of(peer).guard(call)] * 2)
    assert not inside.broken


def test_two_breakers_called_in_opposite_order_do_not_deadlock(clock):
    one, other = CircuitBreaker("one", clock=clock), CircuitBreaker("other", clock=clock)
    inside = threading.Barrier(2, timeout=10)
    run_together(one(other(inside.wait)), other(one(inside.wait)))
    assert not inside.broken


def test_two_breakers_of_pybreaker_called_in_opposite_order_wait_for_each_other():
    library = installed("pybreaker")
    one, other = library.CircuitBreaker(), library.CircuitBreaker()
    both_in, both_tried = threading.Barrier(2, timeout=10), threading.Barrier(2, timeout=10)
    free = []

    def call(wanted):
        both_in.wait()
        free.append(wanted._lock.acquire(blocking=False))  # wanted.call(…) waits here for ever
        both_tried.wait()

    run_together(lambda: one.call(call, other), lambda: other.call(call, one))
    assert free == [False, False]
