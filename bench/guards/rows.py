"""What is measured: for each situation our ways through it and those of others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bench.guards import functions as f
from bench.guards import peers
from tenuto.policies import Backoff, CircuitBreaker, Fallback, Retry, stack

Ways = Mapping[str, Callable[..., Any]]

NO_WAIT = Backoff("fixed", initial=0.0, jitter=False)
RATE: dict[str, Any] = {"failure_rate": 0.5, "minimum_calls": 10, "half_open_permits": 3}
SLOW: dict[str, Any] = {**RATE, "slow_after": 60.0, "slow_rate": 0.5}


@dataclass(frozen=True)
class Row:
    """One situation. ``goal`` is in multiples of the hand-written wrapper, sync and async."""

    title: str
    goal: tuple[float, float] | None
    ours: Ways
    ours_async: Ways
    peers: Ways = field(default_factory=dict)
    peers_async: Ways = field(default_factory=dict)
    calls: int = 5_000
    sleepless: bool = False
    """Whether sleeps of zero are left out: every library ends in the same two functions."""


def opened(**settings: Any) -> CircuitBreaker:
    breaker = CircuitBreaker("hub", **settings)
    breaker.force_open()
    return breaker


def full(fallback) -> Any:
    return stack(Fallback(fallback), Retry(2, NO_WAIT), CircuitBreaker("hub", **RATE))


def rows() -> list[Row]:
    """Built anew for each run: circuits have state."""
    sync, coroutine = f.work, f.work_async
    return [
        Row(
            "retry, the call succeeds",
            (1.5, 1.5),
            {"Retry": Retry()(sync)},
            {"Retry": Retry()(coroutine)},
            {
                "backoff": peers.backoff_retry(sync),
                "stamina": peers.stamina_retry(sync),
                "tenacity": peers.tenacity_retry(sync),
            },
            {
                "hyx": peers.hyx_retry(coroutine),
                "backoff": peers.backoff_retry(coroutine),
                "stamina": peers.stamina_retry(coroutine),
                "tenacity": peers.tenacity_retry(coroutine),
            },
        ),
        Row(
            "breaker with a window and permits, closed",
            (2.5, 2.0),
            {
                "CircuitBreaker, 100 calls": CircuitBreaker(**RATE)(sync),
                "CircuitBreaker, 60 s": CircuitBreaker(window=timedelta(seconds=60), **RATE)(sync),
            },
            {
                "CircuitBreaker, 100 calls": CircuitBreaker(**RATE)(coroutine),
                "CircuitBreaker, 60 s": CircuitBreaker(window=timedelta(seconds=60), **RATE)(
                    coroutine
                ),
            },
            {
                "circuitbreaker (no window, no permits)": peers.circuitbreaker_breaker(sync),
                "purgatory (no window, no permits)": peers.purgatory_breaker(sync),
                "pybreaker (no window, no permits)": peers.pybreaker_breaker(sync),
            },
            {
                "circuitbreaker (no window, no permits)": peers.circuitbreaker_breaker(coroutine),
                "hyx (no window, no permits)": peers.hyx_breaker(coroutine),
                "aiobreaker (no window, no permits)": peers.aiobreaker_breaker(coroutine),
                "purgatory (no window, no permits)": peers.purgatory_breaker_async(coroutine),
            },
        ),
        Row(
            "breaker with slow-call rate and calls in flight, closed",
            (4.5, 3.5),
            {"CircuitBreaker": CircuitBreaker(**SLOW)(sync)},
            {"CircuitBreaker": CircuitBreaker(**SLOW)(coroutine)},
            {"interlock (not in flight)": peers.interlock_breaker(sync)},
            {"interlock (not in flight)": peers.interlock_breaker(coroutine)},
        ),
        Row(
            "retry + breaker (window) + fallback, the call succeeds",
            (3.0, 2.5),
            {"stack": full(sync)(sync)},
            {"stack": full(coroutine)(coroutine)},
            {
                "backoff + circuitbreaker": peers.with_fallback(
                    peers.backoff_retry(peers.circuitbreaker_breaker(sync)), sync
                ),
                "stamina + circuitbreaker": peers.with_fallback(
                    peers.stamina_retry(peers.circuitbreaker_breaker(sync)), sync
                ),
                "tenacity + pybreaker": peers.with_fallback(
                    peers.tenacity_retry(peers.pybreaker_breaker(sync)), sync
                ),
            },
            {
                "hyx": peers.with_fallback_async(
                    peers.hyx_retry(peers.hyx_breaker(coroutine)), coroutine
                ),
                "backoff + circuitbreaker": peers.with_fallback_async(
                    peers.backoff_retry(peers.circuitbreaker_breaker(coroutine)), coroutine
                ),
            },
        ),
        Row(
            "open circuit → fallback",
            (4.0, 4.0),
            {
                "CircuitBreaker(fallback=)": opened(fallback=sync)(sync),
                "stack": stack(Fallback(sync), Retry(2, NO_WAIT), opened())(sync),
            },
            {
                "CircuitBreaker(fallback=)": opened(fallback=coroutine)(coroutine),
                "stack": stack(Fallback(coroutine), Retry(2, NO_WAIT), opened())(coroutine),
            },
            {
                "circuitbreaker(fallback_function=)": peers.circuitbreaker_open(sync, sync),
                "backoff + circuitbreaker": peers.with_fallback(
                    peers.backoff_unless_open(peers.circuitbreaker_open(sync)), sync
                ),
                "pybreaker": peers.with_fallback(peers.pybreaker_open(sync), sync),
                "interlock": peers.with_fallback(peers.interlock_open(sync), sync),
            },
            {
                "circuitbreaker(fallback_function=)": peers.circuitbreaker_open(
                    coroutine, coroutine
                ),
                "backoff + circuitbreaker": peers.with_fallback_async(
                    peers.backoff_unless_open(peers.circuitbreaker_open(coroutine)), coroutine
                ),
                "aiobreaker": peers.with_fallback_async(
                    peers.aiobreaker_open(coroutine), coroutine
                ),
            },
        ),
        Row(
            "two failures, then success; waits of zero",
            (40.0, 40.0),
            {"by hand": f.retry_by_hand(f.fails_twice()), "Retry": patient(f.fails_twice())},
            {
                "by hand": f.retry_by_hand_async(f.fails_twice_async()),
                "Retry": patient(f.fails_twice_async()),
            },
            {
                "backoff": peers.backoff_retry(f.fails_twice()),
                "tenacity": peers.tenacity_retry(f.fails_twice()),
                "stamina (no hook)": peers.stamina_retry(f.fails_twice()),
            },
            {
                "hyx": peers.hyx_retry(f.fails_twice_async()),
                "backoff": peers.backoff_retry(f.fails_twice_async()),
                "tenacity": peers.tenacity_retry(f.fails_twice_async()),
            },
            calls=1_000,
            sleepless=True,
        ),
    ]


def patient(function):
    return Retry(2, NO_WAIT, exceptions=f.BoomError)(function)


def warm_up(ways: Ways, *, asynchronous: bool) -> None:
    """Every way through once, so that what does not work is seen before it is timed."""
    for way in ways.values():
        assert (asyncio.run(way(1)) if asynchronous else way(1)) == 1
