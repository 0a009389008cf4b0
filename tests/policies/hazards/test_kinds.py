"""Kinds of functions that are decorated, but not guarded, or changed by it."""

from __future__ import annotations

import pytest

from tenuto.errors import CircuitOpenError
from tenuto.policies import Backoff, CircuitBreaker, Retry, State

from .peers import installed, see


async def fail():
    raise ConnectionError


def hands_on(reached):
    """A plain function that returns a coroutine, as partials and clients' methods often do."""

    def call():
        reached.append(1)
        return fail()

    return call


async def test_an_async_function_is_guarded(clock):
    policy = CircuitBreaker("hub", 1, clock=clock)
    assert [await see(policy(fail)) for _ in range(2)] == [ConnectionError, CircuitOpenError]


async def test_pybreaker_guards_an_async_function_only_with_tornado(breaker_of):
    breaker = breaker_of("pybreaker")
    library = installed("pybreaker")
    assert [await see(breaker.guard(fail)) for _ in range(5)] == [ConnectionError] * 5
    assert breaker.state == "closed"
    if not library.HAS_TORNADO_SUPPORT:
        with pytest.raises(ImportError, match="tornado"):
            breaker.guard(fail, __pybreaker_call_async=True)


async def test_a_plain_function_that_returns_a_coroutine_is_guarded(clock):
    reached = []
    policy = CircuitBreaker("hub", 1, clock=clock)
    guarded = policy(hands_on(reached))
    assert [await see(guarded) for _ in range(3)] == [ConnectionError, *[CircuitOpenError] * 2]
    repeated = Retry(2, Backoff("fixed", initial=0.0), clock=clock)(hands_on(reached))
    reached.clear()
    assert await see(repeated) is ConnectionError
    assert len(reached) == 3


@pytest.mark.parametrize("peer", ["pybreaker", "circuitbreaker", "aiobreaker", "interlock"])
async def test_it_is_not_by_peers_breakers(breaker_of, peer):
    reached = []
    breaker = breaker_of(peer)
    guarded = breaker.guard(hands_on(reached))
    assert [await see(guarded) for _ in range(5)] == [ConnectionError] * 5
    assert (len(reached), breaker.state) == (5, "closed")


@pytest.mark.parametrize("peer", ["purgatory", "hyx"])
async def test_it_is_by_those_that_make_a_coroutine_function_of_everything(breaker_of, peer):
    reached = []
    guarded = breaker_of(peer).guard(hands_on(reached))
    for _ in range(5):
        await see(guarded)
    assert len(reached) == 1


async def test_tenacity_stamina_and_backoff_do_not_repeat_it():
    tenacity, stamina, backoff = map(installed, ("tenacity", "stamina", "backoff"))
    for policy in (
        tenacity.retry(stop=tenacity.stop_after_attempt(3)),
        stamina.retry(on=ConnectionError, attempts=3),
        backoff.on_exception(backoff.constant, ConnectionError, max_tries=3, logger=None),
    ):
        reached = []
        assert await see(policy(hands_on(reached))) is ConnectionError
        assert len(reached) == 1


def echo():
    said = yield "first"
    yield said
    return "the end"


def converse(guarded):
    """What ``send`` gets through, and what is returned."""
    talk = guarded()
    next(talk)
    heard = talk.send("hello")
    with pytest.raises(StopIteration) as end:
        next(talk)
    return heard, end.value.value


def leave_early(guarded):
    """Take the first item only."""
    talk = guarded()
    next(talk)
    talk.close()


def test_a_guarded_generator_keeps_send_and_its_return_value(clock):
    assert converse(CircuitBreaker("hub", 1, clock=clock)(echo)) == ("hello", "the end")
    assert converse(Retry(clock=clock)(echo)) == ("hello", "the end")


@pytest.mark.parametrize(
    ("peer", "kept"),
    [
        ("pybreaker", ("hello", None)),
        ("circuitbreaker", (None, None)),
        ("aiobreaker", ("hello", None)),
        ("interlock", ("hello", "the end")),  # it leaves generators alone
    ],
)
def test_peers_lose_what_is_sent_or_returned(breaker_of, peer, kept):
    assert converse(breaker_of(peer).guard(echo)) == kept


@pytest.mark.parametrize("peer", ["purgatory", "hyx"])
async def test_purgatory_and_hyx_make_no_generator_of_a_generator_function(breaker_of, peer):
    made = breaker_of(peer).guard(echo)()
    assert not hasattr(made, "__next__")
    assert await see(lambda: made) is TypeError  # it awaits the generator


def test_a_generator_left_early_counts_as_nothing(clock, flaky):
    policy = CircuitBreaker("hub", 2, clock=clock)
    for _ in range(3):
        leave_early(policy(echo))
    assert policy.state is State.CLOSED
    for _ in range(2):
        leave_early(policy(echo))  # and as no success between two failures
        with pytest.raises(ConnectionError):
            policy(flaky(1))("x")
    assert policy.state is State.OPEN


def test_pybreaker_counts_a_generator_left_early_as_a_failure_and_raises_from_close(breaker_of):
    breaker = breaker_of("pybreaker")
    with pytest.raises(breaker.refusal):
        leave_early(breaker.guard(echo))
    assert breaker.state == "open"


async def test_circuitbreaker_counts_a_generator_left_early_as_a_success(breaker_of, flaky):
    breaker = breaker_of("circuitbreaker", 2)
    for _ in range(2):
        await see(breaker.around(flaky(1)))
        leave_early(breaker.guard(echo))
    assert breaker.state == "closed"


def drain(guarded):
    return list(guarded())


def broken_off():
    yield 1
    raise ConnectionError


def test_a_failing_generator_is_counted(clock):
    policy = CircuitBreaker("hub", 1, clock=clock)
    with pytest.raises(ConnectionError):
        drain(policy(broken_off))
    assert policy.state is State.OPEN


def test_interlock_does_not_guard_generators(breaker_of):
    breaker = breaker_of("interlock")
    with pytest.raises(ConnectionError):
        drain(breaker.guard(broken_off))
    assert breaker.state == "closed"
