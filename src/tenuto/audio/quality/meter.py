"""A measure of how good speech sounds, without a clean original to compare it with."""

from __future__ import annotations

import importlib.metadata
import threading
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from tenuto.errors import ConfigurationError

from .excerpts import RATE, WINDOW, Mono

__all__ = ["Dnsmos", "Meter", "Score"]

_FRAMES = int(WINDOW * RATE)
_SILENCE = 1e-4  # peak: -80 dBFS
_SHORTEST = RATE // 10  # frames
_DISTRIBUTION = "speechmos"
# The wheel has another file of this name, for a listener who knows the speaker's voice.
_MODEL = "speechmos/dnsmos_models/sig_bak_ovr.onnx"

# From the raw outputs of the network to opinion scores, highest power first: the polynomials that
# its authors publish with it (dnsmos_local.py in github.com/microsoft/DNS-Challenge).
_OVERALL = (-0.06766283, 1.11546468, 0.04602535)
_SIGNAL = (-0.08397278, 1.22083953, 0.0052439)
_BACKGROUND = (-0.13166888, 1.60915514, -0.39604546)


class Score(NamedTuple):
    """Predicted mean opinions, from 1 (bad) to 5 (excellent)."""

    overall: float
    signal: float
    """Of the speech alone: low where it is distorted."""
    background: float
    """Of what is heard beside the speech: low where it is noisy."""


class Meter(Protocol):
    """Judges an excerpt of speech by itself."""

    def measure(self, excerpt: Mono) -> Score | None:
        """The score of mono samples at 16 kHz; None where there is no sound to judge."""
        ...


class Dnsmos:
    """DNSMOS P.835: Reddy, Gopal, Cutler, ICASSP 2022, https://arxiv.org/abs/2110.01763.

    The network is loaded at the first use, once, and may be used by many threads. ``threads`` is
    how many it uses itself for one excerpt (about 0.2 s of one core for each).
    """

    packages: ClassVar[tuple[str, ...]] = (_DISTRIBUTION,)
    """Installed packages whose versions make a difference to what it says."""

    def __init__(self, *, threads: int = 1) -> None:
        self._threads = threads
        self._session: Any = None
        self._loading = threading.Lock()

    def load(self) -> None:
        """Load the network now. Raises ConfigurationError where it is not installed."""
        with self._loading:
            if self._session is None:
                self._session = _open(_model_path(), self._threads)

    def measure(self, excerpt: Mono) -> Score | None:
        """Shorter excerpts than 9.01 s are repeated to that length; of longer ones, the start.

        None for less than 0.1 s of sound, and for silence (a peak below -80 dBFS).
        """
        if len(excerpt) < _SHORTEST or float(np.max(np.abs(excerpt))) < _SILENCE:
            return None
        if self._session is None:
            self.load()
        heard = np.clip(np.resize(excerpt, _FRAMES), -1, 1).astype(np.float32, copy=False)
        signal, background, overall = self._session.run(None, {"input_1": heard[None]})[0][0]
        return Score(
            overall=float(np.polyval(_OVERALL, overall)),
            signal=float(np.polyval(_SIGNAL, signal)),
            background=float(np.polyval(_BACKGROUND, background)),
        )


def _model_path() -> Path:
    # Importing the package would fail: it wants librosa.
    try:
        path = Path(str(importlib.metadata.distribution(_DISTRIBUTION).locate_file(_MODEL)))
    except importlib.metadata.PackageNotFoundError:
        path = Path()
    if not path.is_file():
        raise ConfigurationError(
            "the quality meter", f"its model is missing: pip install {_DISTRIBUTION}"
        )
    return path


def _open(path: Path, threads: int) -> Any:
    import onnxruntime  # slow to import, and not needed by those who judge without the meter

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
