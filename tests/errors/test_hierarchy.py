"""The exceptions, as somebody who raises and subclasses them sees them."""

import pickle
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tenuto.errors import (
    AudioProcessingError,
    CircuitOpenError,
    ConfigurationError,
    DecodeError,
    EncodeError,
    EngineError,
    ExternalServiceError,
    FaultClass,
    QualityThresholdError,
    ResourceLimitError,
    Severity,
    TenutoError,
)


class EnhancementQualityError(AudioProcessingError):
    """A user's own, with no ceremony."""


class TwoRequiredArguments(AudioProcessingError):
    def __init__(self, score, limit):
        super().__init__(f"{score} < {limit}")
        self.score, self.limit = score, limit


@pytest.mark.parametrize(
    "cls",
    [DecodeError, EncodeError, EngineError, QualityThresholdError],
)
def test_whatever_goes_wrong_with_audio_is_an_audio_processing_error(cls):
    assert issubclass(cls, AudioProcessingError)
    assert issubclass(cls, TenutoError)


def test_an_open_circuit_is_an_external_service_error():
    error = CircuitOpenError("hub", 12.5, open_for=3.0, last_fault="ConnectionError: gone")
    assert isinstance(error, ExternalServiceError)
    assert (error.service, error.retry_after, error.open_for) == ("hub", 12.5, 3.0)
    assert error.last_fault == "ConnectionError: gone"


def test_a_users_own_error_carries_the_details_it_was_given():
    error = EnhancementQualityError("too noisy", quality_score=0.4, threshold=0.7, audio_id="a17")
    assert str(error) == "too noisy"
    assert (error.quality_score, error.threshold, error.audio_id) == (0.4, 0.7, "a17")
    assert error.details == {"quality_score": 0.4, "threshold": 0.7, "audio_id": "a17"}


def test_a_handler_may_read_the_score_of_an_error_that_has_none():
    error = EnhancementQualityError("too noisy")
    assert error.quality_score is None
    assert error.threshold is None


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (QualityThresholdError(0.4123, 0.6), "quality 0.412 is below the threshold 0.6"),
        (QualityThresholdError(), "quality is below the threshold"),
        (ResourceLimitError("memory", 900, 800), "memory: 900 used, the limit is 800"),
        (ResourceLimitError(resource="memory"), "memory is exhausted"),
        (ResourceLimitError(), "a resource is exhausted"),
        (ConfigurationError("--jobs", "give a number"), "--jobs is not usable: give a number"),
        (ConfigurationError(setting="--jobs"), "--jobs is not usable"),
        (ConfigurationError(), "the configuration is not usable"),
        (ExternalServiceError("hub", 30), "hub failed; come back in 30 s"),
        (ExternalServiceError(service="hub"), "hub failed"),
        (ExternalServiceError(), "a service failed"),
        (TenutoError(), ""),
        (QualityThresholdError("bad"), "bad"),
        (QualityThresholdError(0.1, 0.2, message="bad"), "bad"),
        (QualityThresholdError(0.1, 0.2, "bad"), "bad"),
    ],
)
def test_a_message_is_taken_or_made(error, text):
    assert str(error) == text


def test_fields_are_given_by_position_or_by_name():
    assert ResourceLimitError("gpu", 9, 8).limit == 8
    assert ResourceLimitError("out of memory", resource="gpu", used=9, limit=8).limit == 8
    assert ResourceLimitError("out of memory").limit is None


def test_a_detail_never_hides_what_an_error_does():
    error = TenutoError("x", with_traceback="evil", describe="evil", args="evil", details="evil")
    assert error.args == ("x",)
    assert error.describe() == ""
    assert error.with_traceback(None) is error
    assert error.details["args"] == "evil"


@pytest.mark.parametrize(
    "error",
    [
        EnhancementQualityError("x", quality_score=0.4),
        TwoRequiredArguments(1, 2),
        QualityThresholdError(0.4, 0.6),
        ResourceLimitError("memory", 2, 1),
        ConfigurationError("a", "b"),
        ExternalServiceError("hub", 3),
        CircuitOpenError("hub", 3, open_for=1.0),
    ],
)
def test_errors_survive_pickling(error):
    error.add_note("seen at noon")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_an_error_that_holds_something_unpicklable_still_gets_through():
    error = TenutoError("x", threading.Lock(), lock=threading.Lock(), size=3)
    copy = pickle.loads(pickle.dumps(error))
    assert copy.size == 3
    assert copy.lock == "<lock>"
    assert copy.details == {"lock": "<lock>", "size": 3}
    assert copy.args == ("x", "<lock>")


def _fail():
    raise TwoRequiredArguments(1, 2)


def test_errors_survive_a_process_pool():
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(TwoRequiredArguments) as caught,
    ):
        pool.submit(_fail).result()
    assert (caught.value.score, caught.value.limit) == (1, 2)


def test_every_fault_class_has_a_loudness():
    assert {fault.severity for fault in FaultClass} <= set(Severity)
    assert FaultClass.CONFIGURATION.severity is Severity.CRITICAL
    assert FaultClass.CANCELLED.severity is Severity.INFO
