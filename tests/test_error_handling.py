"""Error handling as a pipeline sees it, by the path ``utils.error_handling``."""

import asyncio
import inspect
import pickle

import pytest

from tenuto.clock import SimulatedClock
from tenuto.journal import open_journal
from utils.error_handling import (
    AudioProcessingError,
    CircuitOpenError,
    ConfigurationError,
    ErrorHandler,
    ErrorReporter,
    ExternalServiceError,
    FaultClass,
    QualityThresholdError,
    RecoveryManager,
    RecoveryResult,
    ResourceLimitError,
    TenutoError,
    classify,
)


class EnhancementQualityError(AudioProcessingError):
    """Raised when enhancement quality is below threshold."""


@pytest.fixture
def clock():
    return SimulatedClock()


@pytest.fixture
def journal(tmp_path, clock):
    with open_journal(tmp_path / "journal", clock=clock) as journal:
        yield journal


@pytest.fixture
def handler(journal, clock):
    reporter = ErrorReporter("audio_enhancement", journal=journal, clock=clock, log=False)
    return ErrorHandler("audio_enhancement", error_reporter=reporter, clock=clock)


@pytest.fixture(params=["sync", "async"])
def world(request):
    """Guard a function, then call it, in a plain and in an asynchronous program."""

    class World:
        @staticmethod
        def function(body):
            if request.param == "sync":
                return body

            async def function(*args, **kwargs):
                await asyncio.sleep(0)
                return body(*args, **kwargs)

            return function

        @staticmethod
        def call(guarded, *args):
            result = guarded(*args)
            return asyncio.run(_await(result)) if inspect.isawaitable(result) else result

    return World


async def _await(awaitable):
    return await awaitable


def failing(times, error=ConnectionError):
    """A function that fails so many times before it returns its argument; ``calls`` counts."""

    def function(audio):
        function.calls += 1
        if function.calls <= times:
            raise error("no answer")
        return audio

    function.calls = 0
    return function


def test_exception_hierarchy():
    for cls in (
        AudioProcessingError,
        QualityThresholdError,
        ResourceLimitError,
        ConfigurationError,
        ExternalServiceError,
    ):
        error = cls("it failed", audio_id="a17")
        assert isinstance(error, TenutoError)
        assert (str(error), error.audio_id) == ("it failed", "a17")
        assert str(pickle.loads(pickle.dumps(error))) == "it failed"
    assert issubclass(QualityThresholdError, AudioProcessingError)
    error = EnhancementQualityError("too noisy", quality_score=0.4, threshold=0.7)
    assert (error.quality_score, error.threshold) == (0.4, 0.7)
    assert classify(QualityThresholdError(0.4, 0.7)) is FaultClass.QUALITY
    assert classify(ResourceLimitError("memory", 9, 8)) is FaultClass.RESOURCE
    assert classify(ConfigurationError("model", "install it")) is FaultClass.CONFIGURATION
    assert classify(ExternalServiceError("hub")) is FaultClass.INFRASTRUCTURE


def test_error_context_capture(handler, journal):
    def enhance(audio):
        gain = 0.5
        raise EnhancementQualityError("too noisy", quality_score=gain, threshold=0.7)

    with handler.scope(batch="night", api_key="sk-secret"):
        try:
            enhance([0.0])
        except EnhancementQualityError as e:
            error = e
            returned = handler.handle_error(
                e, context={"audio_id": "a17", "quality_score": e.quality_score}
            )
    event = journal.event(returned.id)
    assert event.service == "audio_enhancement"
    assert event.type.endswith("EnhancementQualityError")
    assert event.message == "too noisy"
    assert event.context["audio_id"] == "a17"
    assert event.context["quality_score"] == 0.5
    assert event.context["batch"] == "night"
    assert "sk-secret" not in str(event.to_dict())
    assert event.frames[-1].function.endswith("enhance")
    assert event.frames[-1].locals["gain"] == 0.5

    assert handler.handle_error(error, context={"stage": "again"}).id == returned.id
    assert len(journal.events()) == 1


def test_retry_mechanisms(handler, journal, clock, world):
    flaky = failing(2)
    guarded = handler.with_retry(
        max_retries=3, backoff="exponential", exceptions=(ConnectionError, TimeoutError)
    )(world.function(flaky))
    assert world.call(guarded, "audio") == "audio"
    assert flaky.calls == 3
    assert len(clock.sleeps) == 2
    assert all(pause > 0 for pause in clock.sleeps)

    dead = failing(99)
    with pytest.raises(ConnectionError):
        world.call(handler.with_retry(world.function(dead), max_retries=3), "audio")
    assert dead.calls == 4

    bare = failing(1)
    assert world.call(handler.with_retry(world.function(bare)), "audio") == "audio"

    hopeless = failing(99, ValueError)
    with pytest.raises(ValueError):
        world.call(handler.with_retry(world.function(hopeless)), "audio")
    assert hopeless.calls == 1

    assert {event.type for event in journal.events()} >= {"ConnectionError", "ValueError"}


def test_circuit_breakers(handler, clock, world):
    dead, local = failing(5), []

    def local_processing(audio):
        local.append(audio)
        return "local"

    guarded = handler.circuit_breaker(
        failure_threshold=5, timeout=60, fallback=world.function(local_processing)
    )(world.function(dead))
    for _ in range(5):
        with pytest.raises(ConnectionError):
            world.call(guarded, "audio")
    assert local == []  # a failing call is not a refused one
    assert world.call(guarded, "audio") == "local"
    assert local == ["audio"]
    assert dead.calls == 5
    clock.advance(60)
    assert world.call(guarded, "audio") == "audio"
    assert world.call(guarded, "again") == "again"

    alone = handler.circuit_breaker(failure_threshold=1)(world.function(failing(9)))
    with pytest.raises(ConnectionError):
        world.call(alone, "audio")
    with pytest.raises(CircuitOpenError) as refused:
        world.call(alone, "audio")
    assert 0 < refused.value.retry_after <= 60


def test_graceful_degradation(handler, journal, world):
    def broken(audio):
        raise AudioProcessingError("the model is gone")

    def basic(audio):
        return audio

    degrade = handler.degrade(
        [("high_quality", world.function(broken)), ("basic", world.function(basic))]
    )
    result = world.call(degrade, "audio")
    assert (result.output, result.tier, result.degraded) == ("audio", "basic", True)
    (event,) = journal.events()
    assert event.message == "the model is gone"
    assert event.context["degraded_from"] == "high_quality"

    error = EnhancementQualityError("too noisy")
    handler.handle_error(error, context={"audio": "input"})
    nothing = handler.recover(error, strategy="fallback")
    assert isinstance(nothing, RecoveryResult)
    assert not nothing.success
    handler.recovery_manager.register("fallback", lambda error, context: context["audio"])
    result = handler.recover(error, strategy="fallback")
    assert result.success
    assert result.output == "input"


def test_error_reporting(handler, journal, capsys):
    for number in range(3):
        handler.handle_error(ConnectionError(f"hub {number} is gone"), {"audio_id": number})
    handler.log_degradation("high_quality", MemoryError("too long"))
    counts = {group.type: group.count for group in journal.groups()}
    assert counts == {"ConnectionError": 3, "MemoryError": 1}
    said = capsys.readouterr().err  # others in this process may have something to say
    assert "is gone" not in said
    assert "too long" not in said

    assert isinstance(ErrorReporter(), ErrorReporter)
    assert isinstance(RecoveryManager(), RecoveryManager)
    assert isinstance(ErrorHandler(service_name="x").error_reporter, ErrorReporter)
    event = handler.handle_error("not even an exception")
    assert "not even an exception" in event.message
