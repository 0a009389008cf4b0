"""``ErrorHandler`` beyond the six promises: protect, async, scopes, policies in the journal."""

import asyncio
import threading

import pytest

from tenuto import ErrorHandler, ErrorReporter, Ladder, RecoveryManager, open_journal
from tenuto.clock import SimulatedClock
from tenuto.errors import AudioProcessingError, CircuitOpenError
from tenuto.recovery import RecoveryReason


@pytest.fixture
def clock():
    return SimulatedClock()


@pytest.fixture
def journal(tmp_path, clock):
    with open_journal(tmp_path / "journal", clock=clock) as journal:
        yield journal


@pytest.fixture
def handler(journal, clock):
    reporter = ErrorReporter("speech", journal=journal, clock=clock, log=False)
    return ErrorHandler("speech", error_reporter=reporter, clock=clock)


def dead(*_, **__):
    raise ConnectionError("no answer")


async def dead_async(*_):
    raise ConnectionError("no answer")


def test_protect_retries_and_then_falls_back_on_the_same_arguments(handler, journal, clock):
    guarded = handler.protect("hub", fallback=lambda audio, rate: (audio, rate))(dead)
    assert guarded("audio", rate=16_000) == ("audio", 16_000)
    assert len(clock.sleeps) == 3
    final = [event for event in journal.events() if "stop_reason" in event.context]
    assert [attempt["number"] for attempt in final[0].attempts] == [1, 2, 3, 4]


def test_what_is_protected_under_one_name_shares_one_circuit(handler):
    first, second = handler.protect("hub")(dead), handler.protect("hub")(lambda: "alive")
    other = handler.protect("elsewhere")(lambda: "alive")
    for _ in range(2):
        with pytest.raises((ConnectionError, CircuitOpenError)):
            first()
    with pytest.raises(CircuitOpenError):
        second()
    assert other() == "alive"


async def test_protect_guards_coroutine_functions(handler):
    async def local(audio):
        return audio

    guarded = handler.protect("hub", fallback=local)(dead_async)
    assert await guarded("audio") == "audio"


def test_each_failed_attempt_is_a_row_and_each_change_of_state_too(handler, journal, clock):
    guarded = handler.protect("hub")(dead)
    for _ in range(2):
        with pytest.raises((ConnectionError, CircuitOpenError)):
            guarded()
    attempts = [attempt for attempt in journal.attempts() if attempt.step == "retry"]
    assert {attempt.work for attempt in attempts} == {"hub"}
    assert sorted(attempt.number for attempt in attempts)[:3] == [1, 1, 2]
    (transition,) = journal.transitions("hub")
    assert (transition.before, transition.after) == ("closed", "open")
    clock.advance(60)
    with pytest.raises((ConnectionError, CircuitOpenError)):
        guarded()
    assert {"half_open"} <= {transition.after for transition in journal.transitions("hub")}


def test_a_bare_circuit_breaker_is_a_decorator_too(handler):
    @handler.circuit_breaker
    def alive(audio):
        return audio

    assert alive("audio") == "audio"
    assert alive.__name__ == "alive"


async def test_an_asynchronous_ladder_is_awaited(handler, journal):
    async def basic(audio):
        await asyncio.sleep(0)
        return audio

    result = await handler.degrade([("high", dead_async), ("basic", basic)])("audio")
    assert (result.output, result.tier) == ("audio", "basic")
    assert [event.context["degraded_from"] for event in journal.events()] == ["high"]


def test_a_ladder_of_the_users_tells_both(handler, journal):
    told = []
    ladder = Ladder([("high", dead), ("basic", len)], on_fall=lambda *fall: told.append(fall[0]))
    assert handler.degrade(ladder)("audio").output == 5
    assert told == ["high"]
    assert len(journal.events()) == 1
    assert ladder.climb("audio").output == 5  # the user's own ladder is left as it was
    assert len(journal.events()) == 1


async def test_recovering_asynchronously(handler):
    async def fallback(error, context):
        return context["audio"]

    handler.recovery_manager.register("fallback", fallback)
    error = AudioProcessingError("x")
    handler.handle_error(error, {"audio": "input"})
    assert (await handler.recover_async(error, "fallback")).output == "input"


def test_what_recovery_came_to_is_kept_beside_the_error(handler, journal):
    error = AudioProcessingError("x")
    event = handler.handle_error(error)
    handler.recovery_manager.register("fallback", lambda error, context: "silence")
    assert handler.recover(error, "fallback")
    assert journal.event(event.id).context["recovery_result"] == "recovered"
    assert not handler.recover(AudioProcessingError("never handled"), "nothing")
    assert len(journal.events()) == 1


def test_an_escalation_is_kept_in_the_journal(journal, clock):
    reporter = ErrorReporter("speech", journal=journal, clock=clock, log=False)
    manager = RecoveryManager(max_failures=0, clock=clock)
    handler = ErrorHandler("speech", error_reporter=reporter, recovery_manager=manager, clock=clock)
    manager.register("fallback", lambda error, context: 1 / 0)
    result = handler.recover(AudioProcessingError("x"), "fallback")
    assert result.reason is RecoveryReason.ESCALATED
    assert journal.events()[0].context["escalated_from"] == "fallback"


def test_a_users_own_escalation_is_left_alone(journal, clock):
    told = []
    manager = RecoveryManager(max_failures=0, on_escalation=lambda *what: told.append(what[0]))
    handler = ErrorHandler("speech", journal=journal, recovery_manager=manager)
    manager.register("fallback", lambda error, context: 1 / 0)
    handler.recover(AudioProcessingError("x"), "fallback")
    assert told == ["fallback"]


def test_a_scope_says_what_its_errors_were_about(handler, journal):
    with handler.scope(audio_id="a17"):
        event = handler.handle_error(ValueError("odd"), {"stage": "decode"})
    assert journal.event(event.id).context == {"audio_id": "a17", "stage": "decode"}


def test_many_threads_protect_one_name(handler):
    guarded, errors = [], []

    def protect():
        try:
            guarded.append(handler.protect("hub")(len))
        except Exception as error:  # it is asserted on
            errors.append(error)

    threads = [threading.Thread(target=protect) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [function("abc") for function in guarded] == [3] * 8
    assert len({id(handler.protect("hub").policies[-1]) for _ in range(2)}) == 1
