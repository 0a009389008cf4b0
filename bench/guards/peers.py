"""Guards of other libraries, set up to do what ours do, as far as they can.

Waits are zero, nothing is logged, and an open circuit stays open. The packages are those of the
dependency group ``peers``.
"""

from __future__ import annotations

import contextlib
from datetime import timedelta

import aiobreaker
import backoff
import circuitbreaker
import hyx.circuitbreaker
import hyx.fallback
import hyx.retry
import interlock
import purgatory
import pybreaker
import stamina
import stamina.instrumentation
import tenacity

from bench.guards.functions import BoomError

FOR_EVER = 10**6  # seconds

stamina.instrumentation.set_on_retry_hooks(())


def tenacity_retry(function):
    return tenacity.retry(stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_none())(function)


def stamina_retry(function):
    return stamina.retry(on=Exception, attempts=3, wait_initial=0, wait_jitter=0, wait_max=0)(
        function
    )


def backoff_retry(function):
    return backoff.on_exception(
        backoff.constant, Exception, max_tries=3, interval=0, jitter=None, logger=None
    )(function)


def hyx_retry(function):
    return hyx.retry.retry(on=Exception, attempts=3, backoff=0)(function)


def pybreaker_breaker(function):
    return pybreaker.CircuitBreaker()(function)


def circuitbreaker_breaker(function):
    return circuitbreaker.CircuitBreaker(name=f"{id(object())}")(function)


def aiobreaker_breaker(function):
    return aiobreaker.CircuitBreaker()(function)


def purgatory_breaker(function):
    return purgatory.SyncCircuitBreakerFactory()("it")(function)


def purgatory_breaker_async(function):
    return purgatory.AsyncCircuitBreakerFactory()("it")(function)


def hyx_breaker(function):
    return hyx.circuitbreaker.consecutive_breaker()(function)


def interlock_breaker(function):
    return interlock.CircuitBreaker(name=f"{id(object())}")(function)


def circuitbreaker_open(function, fallback=None):
    breaker = circuitbreaker.CircuitBreaker(
        failure_threshold=1,
        recovery_timeout=FOR_EVER,
        name=f"{id(object())}",
        fallback_function=fallback,
    )
    with contextlib.suppress(BoomError), breaker:
        raise BoomError
    assert breaker.opened
    return breaker(function)


def pybreaker_open(function):
    breaker = pybreaker.CircuitBreaker(reset_timeout=FOR_EVER)
    breaker.open()
    return breaker(function)


def aiobreaker_open(function):
    breaker = aiobreaker.CircuitBreaker(timeout_duration=timedelta(seconds=FOR_EVER))
    breaker.open()
    return breaker(function)


def interlock_open(function):
    breaker = interlock.CircuitBreaker(
        name=f"{id(object())}", initial_state=interlock.State.FORCED_OPEN
    )
    return breaker(function)


def with_fallback(function, fallback):
    """What a user of a library without fallbacks writes."""

    def guarded(x):
        try:
            return function(x)
        except Exception:
            return fallback(x)

    return guarded


def with_fallback_async(function, fallback):
    async def guarded(x):
        try:
            return await function(x)
        except Exception:
            return await fallback(x)

    return guarded


def backoff_unless_open(function):
    """Retried, but not while the circuit is open: else the fallback comes after three refusals."""
    return backoff.on_exception(
        backoff.constant,
        Exception,
        max_tries=3,
        interval=0,
        jitter=None,
        logger=None,
        giveup=lambda error: isinstance(error, circuitbreaker.CircuitBreakerError),
    )(function)
