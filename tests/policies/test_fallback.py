"""Chains of fallbacks; what one fallback does is told in ``test_stack``."""

from __future__ import annotations

import dataclasses

import pytest

from tenuto.errors import CircuitOpenError, ConfigurationError, FaultClass
from tenuto.policies import Backoff, CircuitBreaker, EventKind, Fallback, Retry, stack

NO_WAIT = Backoff("fixed", initial=0.0)


class Cancelled(Exception):
    fault_class = FaultClass.CANCELLED


def failing(error):
    def plan(value):
        raise error

    return plan


def test_a_chain_is_tried_in_turn_until_one_does_not_fail(world, flaky):
    near, far = flaky(9, OSError), flaky(0)
    chain = Fallback(world.function(near)).then(world.function(far)).then("nothing")
    assert world.call(chain(world.function(flaky(9))), "x") == "x"
    assert (near.calls, far.calls) == (1, 1)


def test_a_chain_may_end_with_a_value(world, flaky):
    chain = Fallback(world.function(flaky(9))).then(world.function(flaky(9))).then(None)
    assert world.call(chain(world.function(flaky(9))), "x") is None


def test_a_call_that_goes_well_asks_no_link(world, flaky, events):
    near = flaky(0)
    chain = Fallback(world.function(near), on_event=events.append).then("nothing")
    assert world.call(chain(world.function(flaky(0))), "x") == "x"
    assert near.calls == 0
    assert events == []


def test_the_last_links_error_shows_all_that_failed_before(world):
    first, second, third = ConnectionError("first"), OSError("second"), TimeoutError("third")
    chain = Fallback(world.function(failing(second))).then(world.function(failing(third)))
    with pytest.raises(TimeoutError) as caught:
        world.call(chain(world.function(failing(first))), "x")
    assert caught.value is third
    assert third.__context__ is second
    assert second.__context__ is first
    assert first.__context__ is None


def test_an_error_raised_again_makes_no_ring_of_contexts(world):
    first, second = ConnectionError("first"), OSError("second")
    chain = Fallback(world.function(failing(second))).then(world.function(failing(first)))
    guarded = chain(world.function(failing(first)))
    with pytest.raises(ConnectionError):
        world.call(guarded, "x")
    assert second.__context__ is first
    assert first.__context__ is None


def test_a_ring_of_contexts_of_somebody_elses_is_survived(world):
    first, second = ConnectionError("first"), OSError("second")
    first.__context__, second.__context__ = second, first
    third = TimeoutError("third")
    guarded = Fallback(world.function(failing(third)))(world.function(failing(first)))
    with pytest.raises(TimeoutError):
        world.call(guarded, "x")
    assert third.__context__ is first


def test_a_link_leaves_what_it_does_not_stand_in_for_to_the_next(world, flaky):
    near, far = flaky(0), flaky(0)
    chain = Fallback(world.function(near), ValueError).then(world.function(far))
    assert world.call(chain(world.function(flaky(9))), "x") == "x"
    assert (near.calls, far.calls) == (0, 1)


def test_each_link_has_errors_of_its_own(world, flaky):
    far = flaky(0)
    chain = Fallback(world.function(flaky(9, KeyError))).then(world.function(far), OSError)
    with pytest.raises(KeyError):  # the far plan is for OSError alone
        world.call(chain(world.function(flaky(9))), "x")
    assert far.calls == 0
    brave = Fallback(world.function(flaky(9, KeyError))).then(world.function(far), LookupError)
    assert world.call(brave(world.function(flaky(9))), "x") == "x"


@pytest.mark.parametrize("error", [TypeError, ImportError, Cancelled])
def test_no_link_hides_bugs_wrong_configuration_and_cancellations(world, flaky, error):
    chain = Fallback(world.function(flaky(9, error))).then("nothing").then("at all")
    with pytest.raises(error):
        world.call(chain(world.function(flaky(9))), "x")


def test_each_link_that_stands_in_is_told_of_with_what_it_stood_in_for(world, flaky, events):
    seen = []

    def note(event):
        seen.append((event.kind, event.name, type(event.error), event.fault_class))

    chain = Fallback(world.function(flaky(9, MemoryError)), name="plan b", on_event=note)
    chain = chain.then(0, ValueError).then("nothing")
    assert world.call(chain(world.function(flaky(9))), "x") == "nothing"
    assert seen == [
        (EventKind.FELL_BACK, "plan b", ConnectionError, FaultClass.INFRASTRUCTURE),
        (EventKind.FELL_BACK, "plan b", MemoryError, FaultClass.RESOURCE),
    ]


def test_a_chain_stands_in_for_an_open_circuit_link_by_link(world, clock, flaky):
    """Nobody listens, so that a lone substitute would answer at once; a chain must not."""
    breaker = CircuitBreaker("hub", 1, clock=clock)
    with pytest.raises(ConnectionError):
        world.call(breaker(world.function(flaky(1))), "x")
    near = flaky(9)
    policy = stack(Fallback(world.function(near)).then("far"), Retry(clock=clock), breaker)
    guarded = policy(world.function(flaky(0)))
    assert world.call(guarded, "x") == "far"
    assert near.calls == 1
    clock.advance(60.0)
    assert world.call(guarded, "x") == "x"


def test_the_refusal_is_where_a_chain_that_fails_begins(world, clock, flaky):
    breaker = CircuitBreaker("hub", 1, clock=clock)
    with pytest.raises(ConnectionError):
        world.call(breaker(world.function(flaky(1))), "x")
    chain = Fallback(world.function(flaky(9))).then(world.function(flaky(9, OSError)))
    with pytest.raises(OSError) as caught:
        world.call(stack(chain, breaker)(world.function(flaky(0))), "x")
    assert isinstance(caught.value.__context__.__context__, CircuitOpenError)


def test_a_chain_comes_after_all_retries(world, clock, flaky):
    dead = flaky(9)
    policy = stack(Fallback("near").then("far"), Retry(2, NO_WAIT, clock=clock))
    assert world.call(policy(world.function(dead)), "x") == "near"
    assert dead.calls == 3


def test_a_chain_of_items_is_not_mixed():
    def source():
        raise ConnectionError
        yield

    def half():
        yield 1
        raise OSError

    items = Fallback(half).then([8, 9])(source)()
    assert next(items) == 1
    with pytest.raises(OSError):
        next(items)
    assert list(Fallback(source).then([8, 9])(source)()) == [8, 9]


async def test_a_chain_may_mix_plain_functions_and_coroutine_functions(flaky):
    async def far(value):
        return f"far {value}"

    async def dead(value):
        raise ConnectionError

    def handing_out(value):
        return dead(value)

    assert await Fallback(flaky(9)).then(far)(dead)("x") == "far x"
    assert await Fallback(flaky(9)).then(far)(handing_out)("x") == "far x"


def test_a_chain_is_immutable():
    short = Fallback(len)
    longer = short.then("nothing")
    assert [link.substitute for link in short.links] == [len]
    assert [link.substitute for link in longer.links] == [len, "nothing"]
    assert longer == Fallback(len).then("nothing") != short
    with pytest.raises(dataclasses.FrozenInstanceError):
        longer.later = ()


def test_a_chain_is_shown_in_the_order_it_is_tried():
    assert str(Fallback(len).then(sum).then(None)) == "Fallback(len, then sum, then None)"


def test_a_fallback_in_a_fallback_is_refused_with_the_way_to_say_it():
    with pytest.raises(ConfigurationError, match=r"then\(\)"):
        Fallback(Fallback("near"))
    with pytest.raises(ConfigurationError, match=r"then\(\)"):
        Fallback("near").then(Fallback("far"))
