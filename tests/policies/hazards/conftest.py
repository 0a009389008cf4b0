"""Every peer's breaker, built when a test asks for it, on the test's simulated clock."""

from __future__ import annotations

import pytest

from tenuto.policies import CircuitBreaker

from .peers import build


@pytest.fixture
def breaker_of(clock, monkeypatch):
    """``breaker_of("hyx", 3)``: a breaker of hyx that opens after three failures in a row."""

    def make(name, threshold=1):
        return build(name, clock, monkeypatch, threshold)

    return make


@pytest.fixture
def tripped(clock, flaky):
    """Ours, open after one failure."""

    def make(**settings):
        policy = CircuitBreaker("hub", 1, clock=clock, **settings)
        with pytest.raises(ConnectionError):
            policy(flaky(1))("x")
        return policy

    return make
