"""Calls that fail because a test says so, before they reach the function."""

import asyncio
import gc
from datetime import timedelta
from functools import wraps

import pytest

from tenuto import CircuitOpenError, ConfigurationError, DecodeError
from tenuto.clock import SimulatedClock
from tenuto.policies import CircuitBreaker, Fallback, Hedge, Retry, State, Timeout, stack
from tenuto.policies.engine.gates import gated
from tenuto.policies.engine.registry import registered
from tenuto.testing import Failures, fail_next

reached = []


@pytest.fixture(autouse=True)
def _nothing_reached():
    reached.clear()


def fetch(value=7):
    reached.append(value)
    return value


async def fetch_async(value=7):
    reached.append(value)
    return value


def stream():
    reached.append("stream")
    yield 7


async def stream_async():
    reached.append("stream")
    yield 7


def promise():
    return fetch_async()


class Gate:
    """Admits one call at once, the next the long way, and so on."""

    clock = SimulatedClock()

    def __init__(self):
        self.admitted = 0

    def admit(self, args, kwargs):
        self.admitted += 1
        return "permit" if self.admitted % 2 else None

    def enter(self, name, args, kwargs):
        yield 0.0
        return "permit"

    def settle(self, permit, error, name):
        pass


async def _collect(items):
    return [item async for item in items]


def _result(function):
    """Call ``function``, of whatever kind, and see it through."""
    result = function()
    if hasattr(result, "__anext__"):
        result = _collect(result)
    if hasattr(result, "__await__"):

        async def wait():
            return await result

        return asyncio.run(wait())
    return list(result) if hasattr(result, "__next__") else result


KINDS = [fetch, fetch_async, promise, stream, stream_async]


def _guards(function):
    name = function.__qualname__
    timed = timedelta(seconds=10)
    yield Retry(max_retries=0, name="hub")(function), "hub"
    yield Retry(max_retries=0)(function), name
    yield Retry(max_retries=0, retry=lambda state: False)(function), name
    yield CircuitBreaker("hub")(function), "hub"
    yield CircuitBreaker("hub", failure_rate=0.9, window=timed)(function), "hub"
    yield (
        stack(Fallback(0, exceptions=KeyError), Retry(max_retries=0), CircuitBreaker("hub"))(
            function
        ),
        "hub",
    )
    yield gated(function, Gate(), "hub"), "hub"
    yield gated(function, Gate()), name
    yield gated(CircuitBreaker("inner")(function), Gate(), "hub"), "hub"


@pytest.mark.parametrize("function", KINDS)
def test_the_next_calls_fail_and_the_one_after_them_does_not(function):
    for guarded, name in _guards(function):
        reached.clear()
        expected = _result(guarded)
        with fail_next(2, ConnectionError, at=name) as failures:
            for _ in range(2):
                with pytest.raises(ConnectionError):
                    _result(guarded)
            assert len(reached) == 1
            assert _result(guarded) == expected
        assert (failures.used, failures.left) == (2, 0)
        assert _result(guarded) == expected
        assert len(reached) == 3


def test_a_deadline_of_the_guards_own_hides_nothing():
    guarded = Retry(max_retries=0, deadline=5, name="hub")(fetch)
    with fail_next(1, ConnectionError, at="hub"), pytest.raises(ConnectionError):
        guarded()
    assert guarded() == 7


def test_failures_that_nobody_met_are_gone_after_the_block():
    guarded = Retry(max_retries=0)(fetch)
    with fail_next(3, ConnectionError, at="fetch") as failures, pytest.raises(ConnectionError):
        guarded()
    assert repr(failures) == "Failures(1 of 3 used)"
    assert guarded() == 7


def test_policies_treat_the_failures_as_the_functions_own():
    clock = SimulatedClock()
    breaker = CircuitBreaker("hub", failure_threshold=3, clock=clock)
    guarded = stack(Retry(max_retries=5, clock=clock), breaker)(fetch)
    with fail_next(2, ConnectionError("down"), at="hub"):
        assert guarded() == 7
    assert (reached, len(clock.sleeps), breaker.state) == ([7], 2, State.CLOSED)
    with fail_next(3, ConnectionError("down"), at="hub"), pytest.raises(CircuitOpenError):
        guarded()
    assert breaker.state is State.OPEN


def test_guards_around_guards_all_see_the_failure():
    breaker = CircuitBreaker("inner", failure_threshold=1)
    guarded = Retry(max_retries=0, name="outer")(breaker(fetch))
    with fail_next(1, ConnectionError, at="outer"), pytest.raises(ConnectionError):
        guarded()
    assert breaker.state is State.OPEN


def test_a_decorator_between_two_guards_belongs_to_what_is_guarded():
    inner = CircuitBreaker("inner", failure_threshold=1)

    @wraps(fetch)
    def counted(*args):
        return inner(fetch)(*args)

    guarded = Retry(max_retries=0, name="outer")(counted)
    with fail_next(1, ConnectionError, at="outer"), pytest.raises(ConnectionError):
        guarded()
    assert inner.state is State.CLOSED


def test_all_that_is_guarded_under_the_name_shares_the_failures():
    breaker = CircuitBreaker("hub")
    one, two = breaker(fetch), breaker(fetch_async)
    with fail_next(2, ConnectionError, at="hub") as failures:
        for guarded in (one, two):
            with pytest.raises(ConnectionError):
                _result(guarded)
        assert failures.left == 0
        assert (_result(one), _result(two)) == (7, 7)


def test_methods_keep_their_objects():
    class Service:
        def __init__(self):
            self.calls = 0

        @Retry(max_retries=1, clock=SimulatedClock(), name="service")
        def fetch(self):
            self.calls += 1
            return self.calls

    service = Service()
    with fail_next(1, ConnectionError, at="service"):
        assert service.fetch() == 1


def test_blocks_within_blocks_are_left_in_any_order():
    guarded = Retry(max_retries=0, name="hub")(fetch)
    outer, inner = (
        fail_next(2, ConnectionError, at="hub"),
        fail_next(1, TimeoutError, at="hub"),
    )
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(TimeoutError):
        guarded()
    with pytest.raises(ConnectionError):
        guarded()
    outer.__exit__(None, None, None)
    assert guarded() == 7
    inner.__exit__(None, None, None)
    assert guarded() == 7
    with fail_next(1, TimeoutError, at="hub"), pytest.raises(TimeoutError):
        guarded()


def test_no_two_calls_raise_the_same_object():
    cause = OSError("the cable")
    model = DecodeError("not a recording", audio_id="a17")
    model.__cause__ = cause
    guarded = Retry(max_retries=0, name="hub")(fetch)
    raised = []
    with fail_next(2, model, at="hub"):
        for _ in range(2):
            with pytest.raises(DecodeError, match="not a recording") as caught:
                guarded()
            raised.append(caught.value)
    assert len({id(error) for error in (model, *raised)}) == 3
    assert all(error.audio_id == "a17" and error.__cause__ is cause for error in raised)
    assert all(error.__suppress_context__ for error in raised)
    assert not Failures(1, ValueError("x")).take().__suppress_context__
    assert model.__traceback__ is None


def test_a_function_may_make_the_errors():
    codes = iter(range(100))
    guarded = Retry(max_retries=0, name="hub")(fetch)
    with (
        fail_next(1, lambda: OSError(next(codes), "down"), at="hub"),
        pytest.raises(OSError, match="down"),
    ):
        guarded()


class Stubborn(Exception):
    def __init__(self, code, text):
        super().__init__(text)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (Stubborn(1, "cannot be copied"), "give a function"),
        (Stubborn, "give a function"),
        (lambda: "words", "no exception"),
    ],
)
def test_an_error_that_cannot_be_raised_twice_is_refused_before_anything_else(error, remedy):
    guarded = Retry(name="hub")(fetch)
    with pytest.raises(ConfigurationError, match=remedy), fail_next(1, error, at="hub"):
        pass
    assert guarded() == 7


def test_an_unknown_name_is_answered_with_the_names_there_are():
    guarded = Retry(name="the hub of models")(fetch)
    with (
        pytest.raises(ConfigurationError, match=r"no guard.*'hbu'.*'fetch'.*'the hub of models'"),
        fail_next(1, ConnectionError, at="hbu"),
    ):
        pass
    assert guarded() == 7


def test_where_nothing_is_guarded_there_is_no_name_at_all(monkeypatch):
    monkeypatch.setattr("tenuto.testing.names.registered", list)
    with (
        pytest.raises(ConfigurationError, match="none at all"),
        fail_next(1, ConnectionError, at="hub"),
    ):
        pass


def test_guards_that_nobody_holds_are_forgotten():
    guarded = Retry(name="soon to be forgotten")(fetch)
    assert any("soon to be forgotten" in names for _, names in registered())
    del guarded
    gc.collect()
    assert not any("soon to be forgotten" in names for _, names in registered())


def test_failures_can_be_counted_before_they_are_met():
    failures = Failures(2, ConnectionError)
    assert (failures.count, failures.used, failures.left) == (2, 0, 2)


@pytest.mark.parametrize("policy", [Timeout(5.0, "hub"), Hedge(5.0, name="hub")])
def test_timeouts_and_hedges_are_found_by_their_names(policy):
    guarded = policy(lambda: "answered")
    with fail_next(1, ConnectionError("down"), at="hub") as failures:
        with pytest.raises(ConnectionError):
            guarded()
        assert guarded() == "answered"
    assert failures.used == 1
