"""Real speech to judge, from the sample recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tenuto.audio.engines.wiener import Wiener
from tenuto.audio.quality import Gate

SAMPLES = Path(__file__).parents[3] / "samples"


@pytest.fixture(scope="session")
def speech():
    """7.1 s of a reader with pink noise at 5 dB, 16 kHz, shape (frames, 1)."""
    samples, rate = soundfile.read(
        SAMPLES / "readings" / "01 had then leisure.wav", dtype="float32", always_2d=True
    )
    assert rate == 16_000
    return samples


@pytest.fixture(scope="session")
def clearer_speech():
    """The same words with a faint fan at 15 dB, 16 kHz, shape (frames, 1)."""
    samples, rate = soundfile.read(
        SAMPLES / "readings" / "06 leisure, quiet room.opus", dtype="float32", always_2d=True
    )
    assert rate == 16_000
    return samples


@pytest.fixture(scope="module")
def gate():
    """One that listens for damage, and has no meter."""
    return Gate(meter="none")


@pytest.fixture(scope="session")
def enhanced(speech):
    """What a Wiener filter makes of ``speech``."""
    return Wiener().enhance(speech, 16_000)


@pytest.fixture
def random():
    return np.random.default_rng(7)
