"""How much of a recording to hand to an engine at a time, by what there was memory for before."""

from __future__ import annotations

from typing import TypeAlias

from tenuto.machines import Shrink

from .codec import Recording
from .engines import Engine

__all__ = ["Sizes"]

_Shape: TypeAlias = tuple[str, int, int, int]
"""Engine, rate, channels, and length as a power of two seconds."""


class Sizes:
    """Sizes of chunks, for each engine and shape of recording. As many as its memory allows."""

    def __init__(self) -> None:
        self._shrinks: dict[_Shape, Shrink] = {}

    def frames(self, engine: Engine, recording: Recording) -> tuple[int, bool]:
        """How many frames to try, and whether fewer can be tried if that is too much."""
        least, most = engine.chunk_frames(recording.rate, recording.channels)
        whole = min(most, recording.frames)
        least = min(least, whole)
        shrink = self._shrinks.get(_shape(engine, recording))
        frames = max(least, whole >> shrink.halvings) if shrink else whole
        return frames, frames > least

    def too_large(self, engine: Engine, recording: Recording) -> None:
        """There was no memory for the last size."""
        self._shrinks.setdefault(_shape(engine, recording), Shrink()).on_failure()

    def fits(self, engine: Engine, recording: Recording) -> None:
        """There was memory for the last size."""
        if shrink := self._shrinks.get(_shape(engine, recording)):
            shrink.on_success()


def _shape(engine: Engine, recording: Recording) -> _Shape:
    seconds = int(recording.duration)
    return engine.name, recording.rate, recording.channels, seconds.bit_length()
