"""What a speech enhancement engine is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import partial
from typing import ClassVar

from tenuto.audio.sound import Samples
from tenuto.audio.survey import Survey

from .overlap import LEAST_SECONDS, overlapped

__all__ = ["Engine"]

_ROOM = 128 * 2**20
"""Bytes for the work on a chunk."""

_BYTES = 16
"""For each sample: the chunk, the one that follows, both as the engine hears them, its result."""


class Engine(ABC):
    """A way to make noisy speech clearer.

    Constructing one is free: no model is loaded and no heavy package imported before ``load``.
    Engines of other packages register their class in the entry-point group ``tenuto.engines``.
    """

    name: ClassVar[str]
    """What people call it; one name, one engine."""

    tier: ClassVar[str]
    """The rung it serves: ``high_quality``, ``medium_quality``, ``basic`` or ``original``."""

    native_rate: ClassVar[int | None]
    """The rate it works at, in Hz; None where it works at any. Other rates are converted."""

    memory_per_second: ClassVar[int] = 0
    """Bytes of working memory that a second of one channel costs, beside input and output.

    0: memory does not grow with the length of the sound.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    """Installed packages whose versions make a difference to the result: with another version of
    one of them, finished recordings are done again."""

    def missing(self) -> str | None:
        """What to install before this engine can run here; None if nothing. Imports nothing."""
        return None

    def load(self) -> None:  # noqa: B027 - some have nothing to load
        """Get ready: load the model, once per process. ``enhance`` does it where nobody has.

        Raises ConfigurationError, which says what to do, where the engine cannot run here.
        """

    @abstractmethod
    def enhance(self, samples: Samples, rate: int, *, out: Samples | None = None) -> Samples:
        """The speech in ``samples`` with less noise: same shape, rate and timing.

        ``samples`` has the shape (frames, channels) and is left as it is; ``rate`` is in Hz. The
        result is written into ``out`` where one is given, of the same shape and apart from
        ``samples``. Raises ``UnfitSoundError`` for a sound that no engine can work on, and
        ``EngineError`` where the engine fails or returns nonsense.
        """

    def stream(self, chunks: Iterable[Samples], survey: Survey) -> Iterator[Samples]:
        """The enhanced sound, of the same length, while the sound goes by.

        All ``chunks`` but the last have the same length, of which ``chunk_frames`` tells;
        ``survey`` is that of the sound as a whole. Each chunk is enhanced together with a little
        of its neighbours, and the results are cross-faded; an engine that can carry a state on
        does that in its place. Raises as ``enhance`` does.
        """
        enhance = partial(self.enhance, rate=survey.rate)
        return overlapped(chunks, enhance, survey.rate, self.name)

    def chunk_frames(self, rate: int, channels: int) -> tuple[int, int]:
        """The least frames to hand to ``stream`` at a time, and the most, for which it has room."""
        a_second = channels * (_BYTES * rate + self.memory_per_second)
        least = LEAST_SECONDS * rate
        return least, max(least, _ROOM * rate // a_second)
