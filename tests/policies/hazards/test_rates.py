"""A dependency that fails most of the time, but never five times in a row."""

from __future__ import annotations

import contextlib

import pytest

from tenuto.errors import CircuitOpenError
from tenuto.policies import CircuitBreaker, State

from .peers import see


class FourOfFive:
    """Fails four times in five calls."""

    __name__ = __qualname__ = "mostly_dead"

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.calls % 5:
            raise ConnectionError


def test_eighty_per_cent_failures_never_five_in_a_row_open_the_circuit(clock):
    policy = CircuitBreaker("hub", failure_rate=0.5, clock=clock)
    dead = FourOfFive()
    guarded = policy(dead)
    for _ in range(20):
        with contextlib.suppress(ConnectionError, CircuitOpenError):
            guarded()
    assert policy.state is State.OPEN
    assert dead.calls == 11  # ten to mean anything, and the next failure


@pytest.mark.parametrize(
    ("peer", "reached"),
    [
        ("pybreaker", 1000),
        ("circuitbreaker", 1000),
        ("aiobreaker", 1000),
        ("purgatory", 1000),
        ("hyx", 1000),
        ("interlock", 10),
    ],
)
async def test_peers_all_but_interlock_never_open_on_them(breaker_of, peer, reached):
    dead = FourOfFive()
    guarded = breaker_of(peer, 10 if peer == "interlock" else 5).around(dead)
    for _ in range(1000):
        await see(guarded)
    assert dead.calls == reached
