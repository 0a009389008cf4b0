"""Other libraries' circuit breakers behind one face, in simulated time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

OPEN_FOR = 60

_WORDS = {
    **dict.fromkeys(["closed", "working"], "closed"),
    **dict.fromkeys(["open", "opened", "failing"], "open"),
    **dict.fromkeys(["half-open", "half_open", "half-opened", "recovering"], "half open"),
}


@dataclass(frozen=True)
class Peer:
    guard: Callable[[Any], Any]
    raw_state: Callable[[], str]
    refusal: type[BaseException]
    is_async: bool = True

    @property
    def state(self):
        return _WORDS[self.raw_state().lower()]

    def around(self, plain):
        """``plain`` under guard, as the kind of function that the peer is for."""
        if not self.is_async:
            return self.guard(plain)

        async def twin():
            return plain()

        return self.guard(twin)


async def see(function):
    """What a call raised, whatever it is."""
    try:
        result = function()
        if asyncio.iscoroutine(result):
            await result
    except BaseException as error:
        return type(error)
    return None


def installed(module, package=None):
    """The module; where it is not installed, the test is skipped."""
    return pytest.importorskip(module, reason=f"{package or module} is not installed")


def build(name, clock, monkeypatch, threshold):
    """A breaker that opens for a minute after ``threshold`` failures in a row."""
    return _BUILDERS[name](clock, monkeypatch, threshold)


def _pybreaker(clock, monkeypatch, threshold):
    library = installed("pybreaker")
    monkeypatch.setattr(library, "datetime", _datetime(clock))
    breaker = library.CircuitBreaker(threshold, OPEN_FOR)
    return Peer(breaker, lambda: breaker.current_state, library.CircuitBreakerError, is_async=False)


def _circuitbreaker(clock, monkeypatch, threshold):
    library = installed("circuitbreaker")
    monkeypatch.setattr(library, "monotonic", clock.monotonic)
    breaker = library.CircuitBreaker(threshold, OPEN_FOR, name="hub")
    return Peer(breaker, lambda: breaker.state, library.CircuitBreakerError)


def _aiobreaker(clock, monkeypatch, threshold):
    library = installed("aiobreaker")
    for module in ("circuitbreaker", "state"):
        monkeypatch.setattr(f"aiobreaker.{module}.datetime", _datetime(clock))
    breaker = library.CircuitBreaker(threshold, timedelta(seconds=OPEN_FOR))
    return Peer(breaker, lambda: breaker.current_state.name, library.CircuitBreakerError)


def _purgatory(clock, monkeypatch, threshold):
    library = installed("purgatory")
    monkeypatch.setattr("purgatory.domain.model.time", SimpleNamespace(time=clock.now))
    circuits = library.AsyncCircuitBreakerFactory(threshold, OPEN_FOR)
    return Peer(
        circuits("hub"),
        lambda: circuits.uow.contexts.breakers["hub"].state,
        installed("purgatory.domain.model", "purgatory").OpenedState,
    )


def _hyx(clock, monkeypatch, threshold):
    library = installed("hyx.circuitbreaker", "hyx")
    monkeypatch.setattr("hyx.circuitbreaker.states.datetime", _datetime(clock))
    breaker = library.consecutive_breaker(
        failure_threshold=threshold, recovery_time_secs=OPEN_FOR, recovery_threshold=1
    )
    refusal = installed("hyx.circuitbreaker.exceptions", "hyx").BreakerFailing
    return Peer(breaker, lambda: breaker.state.name, refusal)


def _interlock(clock, monkeypatch, threshold):
    library = installed("interlock", "interlock-cb")
    terms = library.Config(
        minimum_number_of_calls=threshold,
        wait_duration_in_open=OPEN_FOR,
        permitted_calls_in_half_open=1,
    )
    breaker = library.CircuitBreaker(name="hub", config=terms, clock=clock)
    return Peer(breaker, lambda: breaker.state.value, library.CircuitOpenError)


_BUILDERS = {
    "pybreaker": _pybreaker,
    "circuitbreaker": _circuitbreaker,
    "aiobreaker": _aiobreaker,
    "purgatory": _purgatory,
    "hyx": _hyx,
    "interlock": _interlock,
}


def _datetime(clock):
    """``datetime`` as far as the peers ask it for the time of day."""

    def now(zone=None):
        told = datetime.fromtimestamp(clock.now(), UTC)
        return told if zone else told.replace(tzinfo=None)

    return SimpleNamespace(now=now, utcnow=now)
