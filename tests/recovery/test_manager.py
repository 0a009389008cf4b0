"""Strategies: found by name, by type or by whose fault it is; run once; passed upward."""

import asyncio

import pytest

from tenuto.clock import SimulatedClock
from tenuto.context import scope
from tenuto.errors import (
    AudioProcessingError,
    ConfigurationError,
    DecodeError,
    EngineError,
    ResourceLimitError,
)
from tenuto.recovery import RecoveryManager, RecoveryReason, hold_context


@pytest.fixture(params=["sync", "async"])
def recover(request):
    """``recover`` as both worlds call it."""

    def call(manager, *args, **kwargs):
        if request.param == "sync":
            return manager.recover(*args, **kwargs)
        return asyncio.run(manager.recover_async(*args, **kwargs))

    return call


def test_with_nothing_registered_it_says_so(recover):
    error = DecodeError("x")
    result = recover(RecoveryManager(), error, strategy="fallback")
    assert not result
    assert not result.success
    assert result.reason is RecoveryReason.NO_STRATEGY
    assert (result.output, result.strategy, result.error) == (None, "fallback", error)
    assert recover(RecoveryManager(), error).strategy is None


def test_a_strategy_by_name_gets_the_error_and_the_callers_own_context(recover):
    manager, seen = RecoveryManager(clock=SimulatedClock()), []
    secret = {"password": "not redacted", "audio": object()}
    error = DecodeError("x")

    @manager.register("fallback")
    def fallback(error, context):
        seen.append((error, context))
        return "silence"

    result = recover(manager, error, "fallback", secret)
    assert result
    assert (result.output, result.strategy, result.error) == ("silence", "fallback", None)
    assert result.reason is RecoveryReason.RECOVERED
    assert seen == [(error, secret)]
    assert seen[0][1] is secret


def test_the_context_an_error_was_handled_with_is_found_again(recover):
    manager, held = RecoveryManager(), {"audio_id": "a17"}
    manager.register("fallback", lambda error, context: context)
    error = DecodeError("x")
    hold_context(error, held)
    assert recover(manager, error, "fallback").output is held
    with scope(audio_id="b"):
        assert recover(manager, DecodeError("y"), "fallback").output == {"audio_id": "b"}


def test_the_time_a_remedy_takes_is_measured(recover):
    clock = SimulatedClock()
    manager = RecoveryManager(clock=clock)
    manager.register("fallback", lambda error, context: clock.advance(1.5))
    assert recover(manager, DecodeError("x"), "fallback").duration == 1.5


def test_the_strategy_for_the_nearest_type_is_taken(recover):
    manager = RecoveryManager()
    manager.register("fallback", lambda e, c: "any")
    manager.register("fallback", lambda e, c: "audio", errors=AudioProcessingError)
    manager.register("fallback", lambda e, c: "decode", errors=(DecodeError, EOFError))
    assert recover(manager, DecodeError("x"), "fallback").output == "decode"
    assert recover(manager, EngineError("x"), "fallback").output == "audio"
    assert recover(manager, ValueError("x"), "fallback").output == "any"


def test_a_strategy_for_other_types_is_none(recover):
    manager = RecoveryManager()
    manager.register("fallback", lambda e, c: "decode", errors=DecodeError)
    assert recover(manager, ValueError(), "fallback").reason is RecoveryReason.NO_STRATEGY


def test_the_newest_of_equals_is_taken(recover):
    manager = RecoveryManager()
    manager.register("fallback", lambda e, c: "old")
    manager.register("fallback", lambda e, c: "new")
    assert recover(manager, ValueError(), "fallback").output == "new"
    assert manager.strategies == ("fallback",)


def test_without_a_name_the_type_decides(recover):
    manager = RecoveryManager()
    manager.register("quarantine", lambda e, c: "by class")
    manager.register("my own", lambda e, c: "by type", errors=DecodeError)
    assert recover(manager, DecodeError("x")).strategy == "my own"


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (DecodeError("x"), "quarantine"),
        (ResourceLimitError("memory", 2, 1), "shrink"),
        (ConnectionError(), "retry"),
        (TypeError(), "escalate"),
    ],
)
def test_without_name_and_type_whose_fault_it_is_decides(recover, error, remedy):
    manager = RecoveryManager()
    for name in ("quarantine", "shrink", "retry", "escalate", "degrade"):
        manager.register(name, lambda e, c, name=name: name)
    assert recover(manager, error).output == remedy


def test_the_second_best_remedy_is_used_where_the_best_is_missing(recover):
    manager = RecoveryManager()
    manager.register("fallback", lambda e, c: "local")
    assert recover(manager, ConnectionError()).strategy == "fallback"


def test_a_remedy_that_fails_is_a_result(recover):
    manager = RecoveryManager()
    failure = EngineError("also broken")

    def fallback(error, context):
        raise failure

    manager.register("fallback", fallback)
    result = recover(manager, DecodeError("x"), "fallback")
    assert not result
    assert result.reason is RecoveryReason.STRATEGY_FAILED
    assert result.error is failure
    assert failure.__context__ is None  # it was not raised while handling anything


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, asyncio.CancelledError])
def test_an_interruption_gets_through_and_leaves_nothing_behind(interruption):
    manager, calls = RecoveryManager(max_failures=0), []

    def fallback(error, context):
        calls.append(1)
        if len(calls) == 1:
            raise interruption
        return "fine"

    manager.register("fallback", fallback)
    error = DecodeError("x")
    with pytest.raises(interruption):
        manager.recover(error, "fallback")
    assert manager.recover(error, "fallback").output == "fine"


def test_a_strategy_that_asks_for_itself_is_told_so(recover):
    manager, inner = RecoveryManager(), []

    def fallback(error, context):
        inner.append(manager.recover(error, "fallback"))
        return "out"

    manager.register("fallback", fallback)
    assert recover(manager, DecodeError("x"), "fallback").output == "out"
    assert inner[0].reason is RecoveryReason.LOOP


def test_a_remedy_that_fails_too_often_is_rested_and_those_above_are_told(recover):
    clock, told, above, runs = SimulatedClock(), [], [], []
    manager = RecoveryManager(
        max_failures=2, period=10, clock=clock, on_escalation=lambda *what: told.append(what)
    )

    def fallback(error, context):
        runs.append(1)
        raise EngineError("broken")

    manager.register("fallback", fallback)
    manager.register("escalate", lambda error, context: above.append(context["audio_id"]))
    reasons = []
    for number in range(4):
        error = DecodeError("x")
        hold_context(error, {"audio_id": number})
        reasons.append(recover(manager, error, "fallback").reason)
        clock.advance(1)
    assert reasons == ["strategy failed", "strategy failed", "escalated", "escalated"]
    assert len(runs) == 3
    assert above == [2, 3]
    assert [name for name, _ in told] == ["fallback", "fallback"]
    clock.advance(10)
    assert recover(manager, DecodeError("x"), "fallback").reason is RecoveryReason.STRATEGY_FAILED


def test_rare_failures_never_escalate(recover):
    clock = SimulatedClock()
    manager = RecoveryManager(max_failures=2, period=10, clock=clock)

    def fallback(error, context):
        raise EngineError("broken")

    manager.register("fallback", fallback)
    for _ in range(20):
        result = recover(manager, DecodeError("x"), "fallback")
        assert result.reason is RecoveryReason.STRATEGY_FAILED
        clock.advance(6)


def test_an_alarm_that_fails_hides_nothing_and_is_counted(recover):
    def broken(*_):
        raise OSError("no network")

    manager = RecoveryManager(max_failures=0, on_escalation=broken)
    manager.register("fallback", broken)
    manager.register("escalate", broken)
    result = recover(manager, DecodeError("x"), "fallback")
    assert result.reason is RecoveryReason.ESCALATED
    assert manager.failed_escalations == 2


def test_escalating_by_name_runs_it_and_never_escalates_further(recover):
    def broken(*_):
        raise OSError("no network")

    manager = RecoveryManager(max_failures=0)
    manager.register("escalate", broken)
    for _ in range(3):
        assert recover(manager, TypeError()).reason is RecoveryReason.STRATEGY_FAILED


async def test_an_asynchronous_strategy_is_awaited():
    manager = RecoveryManager()

    async def fallback(error, context):
        await asyncio.sleep(0)
        return "remote"

    manager.register("fallback", fallback)
    assert (await manager.recover_async(DecodeError("x"), "fallback")).output == "remote"


def test_an_asynchronous_strategy_cannot_run_here_and_says_so():
    manager = RecoveryManager()

    async def fallback(error, context):
        return "remote"

    manager.register("fallback", fallback)
    result = manager.recover(DecodeError("x"), "fallback")
    assert result.reason is RecoveryReason.STRATEGY_FAILED
    assert isinstance(result.error, ConfigurationError)
    assert "await" in str(result.error)


def test_an_exception_that_refuses_attributes_is_recovered_without_its_context(recover):
    class Sealed(Exception):
        def __setattr__(self, name, value):
            raise AttributeError(name)

    manager, error = RecoveryManager(), Sealed()
    hold_context(error, {"audio_id": "a17"})
    manager.register("fallback", lambda error, context: dict(context))
    assert recover(manager, error, "fallback").output == {}


def test_without_an_alarm_an_escalation_is_only_a_result(recover):
    manager = RecoveryManager(max_failures=0)
    manager.register("fallback", lambda error, context: 1 / 0)
    assert recover(manager, DecodeError("x"), "fallback").reason is RecoveryReason.ESCALATED
