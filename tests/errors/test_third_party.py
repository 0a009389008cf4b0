"""Errors that other libraries really raise, where they are installed."""

import socket
import urllib.error

import pytest

from tenuto.errors import FaultClass, classify

DATA, RESOURCE, BUG = FaultClass.DATA, FaultClass.RESOURCE, FaultClass.BUG
INFRASTRUCTURE, CONFIGURATION = FaultClass.INFRASTRUCTURE, FaultClass.CONFIGURATION


def _raised_by(call):
    with pytest.raises(Exception) as caught:
        call()
    return caught.value


@pytest.fixture
def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_soundfile_and_a_file_that_is_no_sound(tmp_path):
    soundfile = pytest.importorskip("soundfile", reason="the extra audio is not installed")
    path = tmp_path / "text.wav"
    path.write_text("no sound")
    assert classify(_raised_by(lambda: soundfile.read(path))) is DATA


def test_onnxruntime_and_a_model_that_is_none(tmp_path):
    ort = pytest.importorskip("onnxruntime", reason="the extra audio is not installed")
    path = tmp_path / "model.onnx"
    assert classify(_raised_by(lambda: ort.InferenceSession(path))) is CONFIGURATION
    path.write_bytes(b"no model")
    assert classify(_raised_by(lambda: ort.InferenceSession(path))) is CONFIGURATION


def test_onnxruntime_out_of_memory():
    state = pytest.importorskip("onnxruntime.capi.onnxruntime_pybind11_state")
    assert classify(state.Fail("Failed to allocate memory for requested buffer")) is RESOURCE
    assert classify(state.RuntimeException("bad_alloc")) is RESOURCE
    assert classify(state.Fail("something else")) is INFRASTRUCTURE


def test_redis_that_is_not_there(closed_port):
    redis = pytest.importorskip("redis")
    client = redis.Redis(port=closed_port, retry=None)
    assert classify(_raised_by(client.ping)) is INFRASTRUCTURE


def test_redis_errors_by_kind():
    exceptions = pytest.importorskip("redis.exceptions")
    assert classify(exceptions.AuthenticationError("x")) is CONFIGURATION
    assert classify(exceptions.OutOfMemoryError("x")) is RESOURCE
    assert classify(exceptions.ResponseError("OOM command not allowed")) is RESOURCE
    assert classify(exceptions.ResponseError("wrong number of arguments")) is BUG
    assert classify(exceptions.ReadOnlyError("x")) is INFRASTRUCTURE


def test_a_bad_sentry_dsn():
    sentry = pytest.importorskip("sentry_sdk")
    assert classify(_raised_by(lambda: sentry.init(dsn="nonsense"))) is CONFIGURATION


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (400, DATA),
        (401, CONFIGURATION),
        (404, CONFIGURATION),
        (429, INFRASTRUCTURE),
        (503, INFRASTRUCTURE),
    ],
)
def test_http_answers(status, fault):
    httpx, requests = pytest.importorskip("httpx"), pytest.importorskip("requests")
    answer = httpx.Response(status, request=httpx.Request("GET", "http://localhost/"))
    assert classify(_raised_by(answer.raise_for_status)) is fault
    response = requests.Response()
    response.status_code = status
    assert classify(_raised_by(response.raise_for_status)) is fault
    assert classify(urllib.error.HTTPError("http://localhost/", status, "", None, None)) is fault


def test_an_http_error_that_says_nothing_of_the_answer():
    requests = pytest.importorskip("requests")
    assert classify(requests.exceptions.HTTPError("odd")) is INFRASTRUCTURE
    answer = requests.Response()
    answer.status_code = 302
    error = requests.exceptions.HTTPError("odd", response=answer)
    assert classify(error) is INFRASTRUCTURE


def test_http_that_does_not_answer(closed_port):
    httpx, requests = pytest.importorskip("httpx"), pytest.importorskip("requests")
    url = f"http://127.0.0.1:{closed_port}/"
    assert classify(_raised_by(lambda: httpx.get(url))) is INFRASTRUCTURE
    assert classify(_raised_by(lambda: requests.get(url, timeout=5))) is INFRASTRUCTURE
    assert classify(_raised_by(lambda: requests.get("nonsense", timeout=5))) is CONFIGURATION
