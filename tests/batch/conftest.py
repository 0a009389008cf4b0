"""Recordings, folders, and a plugin of odd engines that is really installed, in a folder."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

# Dask looks at every exception class there is when it is imported; some of the tests' are hostile.
import distributed  # noqa: F401
import numpy as np
import pytest
import soundfile

from tenuto.audio.engines import registry

from .runs import Runs

RATE = 16_000
ENGINES = (
    "Steady",
    "Failing",
    "Unset",
    "Muting",
    "Crashing",
    "Aborting",
    "Leaving",
    "Killed",
    "Hanging",
    "Clinging",
    "Overflowing",
    "Hungry",
    "Wide",
    "Gorging",
    "Gorged",
    "Sharing",
    "Leaking",
    "Gated",
)


def speech_like(seconds=1.0, rate=RATE, seed=0):
    time = np.arange(int(seconds * rate)) / rate
    syllables = np.sin(2 * np.pi * 3 * time) > 0
    noise = np.random.default_rng(seed).normal(0, 0.02, len(time))
    return (0.3 * np.sin(2 * np.pi * 220 * time) * syllables + noise).astype(np.float32)


def record(path, seconds=1.0, seed=0, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, speech_like(seconds, seed=seed), RATE, **settings)
    return path


@pytest.fixture
def runs(monkeypatch):
    """Whole runs with fake workers."""
    return Runs(monkeypatch)


@pytest.fixture
def source(tmp_path):
    """Three that are recordings by name: fake workers do not mind what is in them."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.wav", "b.wav", "c.wav"):
        (folder / name).write_text(f"sound of {name}")
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def recordings(tmp_path):
    """Three of them, in two folders, and something that is none."""
    folder = tmp_path / "in"
    for seed, name in enumerate(("a.wav", "b.flac", "deep/c.wav")):
        record(folder / name, seed=seed)
    (folder / "notes.txt").write_text("not sound")
    return folder


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The odd engines, as an installed distribution; gives the folder it is in."""
    folder = tmp_path / "site"
    described = folder / "odd_engines-1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-engines\nVersion: 1.0\n")
    lines = [f"{name.lower()} = odd_engines:{name}" for name in ENGINES]
    (described / "entry_points.txt").write_text("\n".join(["[tenuto.engines]", *lines]))
    shutil.copy(Path(__file__).parent / "odd_engines.py", folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    registry._find.cache_clear()
    yield folder
    registry._find.cache_clear()
    sys.modules.pop("odd_engines", None)


def ledger_of(folder):
    """The lines of a ledger, by the names of their inputs."""
    lines = [json.loads(line) for line in (folder / "outcomes.jsonl").read_text().splitlines()]
    by_name = {Path(line["input"]).name: line for line in lines}
    assert len(by_name) == len(lines), "an input has more than one line"
    return by_name
