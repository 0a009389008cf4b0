"""Breakers that are open because a test says so, and go back to what they were."""

import pytest

from tenuto import CircuitOpenError, ConfigurationError, ErrorHandler
from tenuto.clock import SimulatedClock
from tenuto.policies import CircuitBreaker, EventKind, Fallback, Retry, State, stack
from tenuto.testing import captured_errors, force_open


def fetch(value=7):
    if isinstance(value, Exception):
        raise value
    return value


@pytest.fixture
def clock():
    return SimulatedClock()


def test_a_breaker_refuses_in_the_block_and_only_there():
    guarded = CircuitBreaker("hub")(fetch)
    assert guarded() == 7
    with force_open("hub"):
        with pytest.raises(CircuitOpenError, match="hub") as refusal:
            guarded()
        assert refusal.value.retry_after is None
    assert guarded() == 7


def test_every_breaker_of_the_name_is_open_and_no_other():
    one, two, other = CircuitBreaker("hub"), CircuitBreaker("hub"), CircuitBreaker("disk")
    with force_open("hub"):
        assert [each.state for each in (one, two, other)] == [
            State.FORCED_OPEN,
            State.FORCED_OPEN,
            State.CLOSED,
        ]


def test_a_with_block_is_refused_too():
    breaker = CircuitBreaker("hub")
    with force_open("hub"), pytest.raises(CircuitOpenError), breaker:
        raise AssertionError("not reached")


def test_a_nameless_breaker_goes_by_what_it_guards():
    breaker = CircuitBreaker()
    guards = [stack(Retry(), breaker)(fetch), Retry(deadline=5)(breaker(fetch))]
    with force_open("fetch"):
        for guarded in guards:
            with pytest.raises(CircuitOpenError):
                guarded()
    assert breaker.state is State.CLOSED


def test_a_handlers_dependency_answers_by_its_fallback():
    with captured_errors():
        handler = ErrorHandler("speech")
        guarded = handler.protect("hub", fallback=lambda: "local")(fetch)
        with force_open("hub"):
            assert guarded() == "local"
        assert guarded() == 7


def test_the_quick_way_past_an_open_circuit_is_taken_too():
    guarded = stack(Fallback("local"), CircuitBreaker("hub"))(fetch)
    with force_open("hub"):
        assert guarded() == "local"
    assert guarded() == 7


def test_what_was_counted_before_still_counts_after(clock):
    breaker = CircuitBreaker("hub", failure_threshold=2, clock=clock)
    guarded = breaker(fetch)
    with pytest.raises(ConnectionError):
        guarded(ConnectionError())
    with force_open("hub"), pytest.raises(CircuitOpenError):
        guarded()
    with pytest.raises(ConnectionError):
        guarded(ConnectionError())
    assert breaker.state is State.OPEN


def test_an_open_breaker_stays_open_as_long_as_it_would_have(clock):
    breaker = CircuitBreaker("hub", failure_threshold=1, timeout=60, clock=clock)
    guarded = breaker(fetch)
    with pytest.raises(ConnectionError):
        guarded(ConnectionError())
    clock.advance(40)
    with force_open("hub"):
        clock.advance(15)
    with pytest.raises(CircuitOpenError) as refusal:
        guarded()
    assert refusal.value.retry_after == 5
    clock.advance(5)
    assert guarded() == 7


def test_listeners_hear_of_refusals_and_not_of_the_forcing():
    kinds = []
    guarded = CircuitBreaker("hub", on_event=lambda event: kinds.append(event.kind))(fetch)
    with force_open("hub"), pytest.raises(CircuitOpenError):
        guarded()
    assert kinds == [EventKind.REFUSED]


def test_a_block_that_fails_restores_the_state():
    breaker = CircuitBreaker("hub")
    with pytest.raises(ZeroDivisionError), force_open("hub"):
        _ = 1 / 0
    assert breaker.state is State.CLOSED


def test_an_unknown_name_is_answered_with_the_names_there_are():
    breaker = CircuitBreaker("the hub of models")
    with (
        pytest.raises(ConfigurationError, match=r"no breaker.*'hbu'.*'the hub of models'"),
        force_open("hbu"),
    ):
        pass
    assert breaker.state is State.CLOSED


def test_blocks_may_be_left_in_any_order():
    breaker = CircuitBreaker("hub")
    one, two = force_open("hub"), force_open("hub")
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert breaker.state is State.FORCED_OPEN
    two.__exit__(None, None, None)
    assert breaker.state is State.CLOSED
