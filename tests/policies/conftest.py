"""Every scenario runs twice: around a plain function, and around a coroutine function."""

from __future__ import annotations

import asyncio
import contextvars
import inspect

import pytest

from tenuto.clock import SimulatedClock
from tenuto.policies import Retry


class World:
    """Plain or async: scenarios are written once, in terms of this."""

    def __init__(self, kind, runner):
        self.kind = kind
        self._runner = runner

    def function(self, plain):
        """``plain``, or a coroutine function that does the same."""
        if self.kind == "sync":
            return plain

        async def twin(*args, **kwargs):
            return plain(*args, **kwargs)

        twin.__name__ = twin.__qualname__ = getattr(plain, "__name__", "twin")
        return twin

    def call(self, function, *args, **kwargs):
        """Call ``function``; where that gives a coroutine, see it through."""
        result = function(*args, **kwargs)
        if self.kind == "sync":
            assert not inspect.isawaitable(result)
            return result

        async def wait():
            return await result

        return self._runner.run(wait(), context=contextvars.copy_context())


@pytest.fixture(params=["sync", "async"])
def world(request, clock):
    """Its event loop lives in the time of ``clock``."""
    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        yield World(request.param, runner)


@pytest.fixture
def clock():
    return SimulatedClock()


@pytest.fixture
def events():
    """Listeners' notebook: pass ``events.append`` as ``on_event``."""
    return []


class Flaky:
    """Fails a number of times, then returns its argument."""

    __name__ = __qualname__ = "flaky"

    def __init__(self, failures, error=ConnectionError):
        self.failures = failures
        self.error = error
        self.calls = 0

    def __call__(self, value=None):
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error("down") if isinstance(self.error, type) else self.error
        return value


@pytest.fixture
def flaky():
    return Flaky


@pytest.fixture
def retry(clock, events):
    def build(*args, **settings):
        return Retry(*args, clock=clock, on_event=events.append, **settings)

    return build
