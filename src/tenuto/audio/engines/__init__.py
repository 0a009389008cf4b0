"""Speech enhancement engines: ways to make noisy speech clearer, from neural to none."""

from .base import Engine
from .checking import SilencedError, UnfitSoundError
from .registry import available_engines, engine_for, missing_engines
from .streaming import Stream, StreamingEngine

__all__ = [
    "Engine",
    "SilencedError",
    "Stream",
    "StreamingEngine",
    "UnfitSoundError",
    "available_engines",
    "engine_for",
    "missing_engines",
]
