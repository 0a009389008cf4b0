"""Open time measured by a clock that somebody can set."""

from __future__ import annotations

import pytest

from .peers import see


def test_setting_the_wall_clock_back_does_not_keep_a_circuit_open(clock, tripped, flaky):
    policy = tripped()
    clock.set_wall_clock(0.0)
    clock.advance(60.0)
    assert policy(flaky(0))("x") == "x"


@pytest.mark.parametrize(
    ("peer", "keeps_open"),
    [
        ("pybreaker", True),
        ("circuitbreaker", False),
        ("aiobreaker", True),
        ("purgatory", True),
        ("hyx", True),
        ("interlock", False),
    ],
)
async def test_it_keeps_those_of_pybreaker_aiobreaker_purgatory_and_hyx_open(
    breaker_of, clock, flaky, peer, keeps_open
):
    breaker = breaker_of(peer)
    await see(breaker.around(flaky(1)))
    clock.set_wall_clock(clock.now() - 3600)
    clock.advance(61)
    assert await see(breaker.around(flaky(0))) is (breaker.refusal if keeps_open else None)
