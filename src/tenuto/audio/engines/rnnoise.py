"""RNNoise: a small recurrent network that sets the gains of an ear's bands.

J.-M. Valin, "A Hybrid DSP/Deep Learning Approach to Real-Time Full-Band Speech Enhancement", MMSP
2018. The library comes from the wheel of ``pyrnnoise``, which is not imported: it would bring
matplotlib and a second audio stack with it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np

from tenuto.audio.resample import Mono
from tenuto.errors import ConfigurationError, EngineError

from .once import Once
from .packages import find_file, require_file
from .streaming import Stream, StreamingEngine

__all__ = ["RNNoise"]

_PACKAGE = "pyrnnoise"
_LIBRARIES = ("librnnoise.so", "librnnoise.dylib", "rnnoise.dll")
_HOP = 480
_FULL_SCALE = np.float32(32_768)
"""The library takes floats on the scale of 16-bit integers."""
_DELAY = 2 * _HOP
"""Half a window of overlap, and a frame of look-ahead for the network."""


def _start() -> ctypes.CDLL:
    path = require_file(_PACKAGE, *_LIBRARIES)
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise ConfigurationError("rnnoise", f"pip install {_PACKAGE} ({error})") from error
    pointer = ctypes.c_void_p
    library.rnnoise_create.restype = pointer
    library.rnnoise_create.argtypes = (pointer,)
    library.rnnoise_get_frame_size.restype = ctypes.c_int
    library.rnnoise_get_frame_size.argtypes = ()
    library.rnnoise_process_frame.restype = ctypes.c_float
    library.rnnoise_process_frame.argtypes = (pointer, pointer, pointer)
    library.rnnoise_destroy.restype = None
    library.rnnoise_destroy.argtypes = (pointer,)
    if library.rnnoise_get_frame_size() != _HOP:
        raise ConfigurationError("rnnoise", f"{path} has another frame size than {_HOP}")
    return library


_library = Once(_start)


class RNNoise(StreamingEngine):
    """The light tier, at 48 kHz."""

    name = "rnnoise"
    tier = "medium_quality"
    native_rate = 48_000
    packages = (_PACKAGE,)
    warm_up = 2.0

    def missing(self) -> str | None:
        return None if find_file(_PACKAGE, *_LIBRARIES) else f"pip install {_PACKAGE}"

    def load(self) -> None:
        _library()

    @contextmanager
    def open_stream(self, rate: int) -> Generator[Stream, None, None]:  # noqa: ARG002 - the native one
        library = _library()
        state = library.rnnoise_create(None)
        if not state:
            raise EngineError("rnnoise could not create a state", engine=self.name)

        def process(block: Mono) -> Mono:
            result = block * _FULL_SCALE
            start = result.ctypes.data
            for offset in range(0, result.nbytes, _HOP * result.itemsize):
                library.rnnoise_process_frame(state, start + offset, start + offset)
            result /= _FULL_SCALE
            return result

        try:
            yield Stream(process, hop=_HOP, delay=_DELAY)
        finally:
            library.rnnoise_destroy(state)
