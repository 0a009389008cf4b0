"""``Retry(raise_as=…)``: a type of one's own for what a retry gave up on."""

from __future__ import annotations

import pytest
import tenacity

from tenuto.errors import CircuitOpenError, ConfigurationError, ExternalServiceError
from tenuto.policies import (
    Backoff,
    ResultRejectedError,
    Retry,
    RetryBudget,
    StopReason,
    deadline,
    hook_failures,
)

NO_WAIT = Backoff("fixed", initial=0.0)


class HubDownError(ExternalServiceError):
    """What callers expect."""


def test_what_was_repeated_in_vain_is_raised_as_asked(world, retry, flaky, events):
    failing = flaky(99)
    guarded = retry(1, NO_WAIT, raise_as=HubDownError, name="hub")(world.function(failing))
    with pytest.raises(HubDownError) as caught:
        world.call(guarded, "x")
    assert str(caught.value) == ("hub, attempt 2: attempts exhausted; ConnectionError: down")
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert caught.value.__notes__[0].startswith("tenuto: hub, attempt 2: attempts exhausted; 1:")
    assert not hasattr(caught.value.__cause__, "__notes__")
    assert events[-1].reason is StopReason.ATTEMPTS


def test_it_carries_the_mark_of_nested_retries(world, retry, flaky):
    failing = flaky(99)
    inner = retry(1, NO_WAIT, raise_as=HubDownError)(failing)
    with pytest.raises(HubDownError):
        world.call(retry(5, NO_WAIT)(world.function(inner)), "x")
    assert failing.calls == 2


def test_so_is_what_there_was_no_time_no_budget_or_no_patience_for(world, retry, flaky, clock):
    tomorrow = ConnectionError()
    tomorrow.retry_after = 86_400
    poor = RetryBudget(capacity=5, cost=5)
    poor.spend(None, None)
    for error, settings in (
        (tomorrow, {}),
        (ConnectionError(), {"stop": lambda _: True}),
        (ConnectionError(), {"deadline": 0}),
        (ConnectionError(), {"budget": poor}),
    ):
        guarded = retry(raise_as=HubDownError, **settings)(world.function(flaky(1, error)))
        with pytest.raises(HubDownError) as caught:
            world.call(guarded, "x")
        assert caught.value.__cause__ is error


def test_so_is_what_an_inner_retry_gave_up_on(world, retry, flaky):
    inner = retry(1, NO_WAIT)(flaky(99))
    with pytest.raises(HubDownError):
        world.call(retry(raise_as=HubDownError)(world.function(inner)), "x")


@pytest.mark.parametrize("error", [TypeError("a bug"), CircuitOpenError("hub", 5.0)], ids=repr)
def test_what_would_not_have_been_repeated_stays_what_it_is(world, retry, flaky, error):
    with pytest.raises(type(error)) as caught:
        world.call(retry(raise_as=HubDownError)(world.function(flaky(1, error))), "x")
    assert caught.value is error


def test_an_error_of_that_type_stays_what_it_is(world, retry, flaky):
    error = HubDownError("hub")
    with pytest.raises(HubDownError) as caught:
        world.call(
            retry(1, NO_WAIT, raise_as=ExternalServiceError)(world.function(flaky(9, error)))
        )
    assert caught.value is error


def test_a_rejected_result_stays_a_rejected_result(world, retry):
    rule = tenacity.retry_if_result(lambda result: result is None)
    guarded = retry(1, NO_WAIT, retry=rule, raise_as=HubDownError)
    with pytest.raises(ResultRejectedError):
        world.call(guarded(world.function(lambda: None)))


def test_a_type_that_cannot_be_built_from_a_message_leaves_the_users_own_error(world, retry, flaky):
    class Demanding(Exception):
        def __init__(self, one, two):
            super().__init__(one, two)

    before = hook_failures().count
    with pytest.raises(ConnectionError) as caught:
        world.call(retry(1, NO_WAIT, raise_as=Demanding)(world.function(flaky(9))), "x")
    assert caught.value.__notes__
    assert hook_failures().count == before + 1


@pytest.mark.parametrize("kind", [KeyboardInterrupt, int, "HubDownError", HubDownError()])
def test_only_an_exception_type_will_do(kind):
    with pytest.raises(ConfigurationError) as caught:
        Retry(raise_as=kind)
    assert caught.value.setting == "raise_as"


def test_a_deadline_within_does_not_change_the_type(world, retry, flaky, clock):
    guarded = retry(9, Backoff("fixed", initial=4.0, jitter=False), raise_as=HubDownError)
    with deadline(10.0, clock=clock), pytest.raises(HubDownError, match="deadline"):
        world.call(guarded(world.function(flaky(99))), "x")
