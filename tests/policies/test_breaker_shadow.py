"""A breaker in shadow measures, tells what it would have done, and refuses nothing."""

from __future__ import annotations

import pytest

from tenuto.policies import CircuitBreaker, EventKind, State


@pytest.fixture
def shadow(clock, events):
    return CircuitBreaker("hub", 2, clock=clock, on_event=events.append, shadow=True)


def test_it_trips_and_refuses_nobody(world, shadow, flaky, events):
    dead = flaky(99)
    guarded = shadow(world.function(dead))
    for _ in range(5):
        with pytest.raises(ConnectionError):
            world.call(guarded)
    assert dead.calls == 5
    assert shadow.state is State.OPEN
    assert [event.kind for event in events] == [EventKind.TRIPPED, *[EventKind.REFUSED] * 3]
    assert all(event.shadow for event in events)


def test_it_finds_out_when_the_dependency_is_back(world, shadow, flaky, clock, events):
    guarded = shadow(world.function(flaky(2)))
    for _ in range(2):
        with pytest.raises(ConnectionError):
            world.call(guarded)
    assert world.call(guarded, "x") == "x"  # not a probe yet, and nothing comes of it
    assert shadow.state is State.OPEN
    clock.advance(60.0)
    assert world.call(guarded, "x") == "x"
    assert shadow.state is State.CLOSED


def test_its_fallback_is_not_called(world, clock, flaky):
    policy = CircuitBreaker("hub", 1, clock=clock, shadow=True, fallback=lambda value: "local")
    guarded = policy(world.function(flaky(1)))
    with pytest.raises(ConnectionError):
        world.call(guarded, "x")
    assert world.call(guarded, "x") == "x"


def test_blocks_are_entered_too(shadow):
    for _ in range(2):
        with pytest.raises(ConnectionError), shadow:
            raise ConnectionError("down")
    entered = []
    with shadow:
        entered.append(1)
    assert entered == [1]
    assert "shadow" in str(shadow)
