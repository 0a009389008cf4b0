"""What a speech enhancement engine is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from tenuto.audio.sound import Samples

__all__ = ["Engine"]


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

    0: the sound is worked on in blocks, and memory does not grow with its length.
    """

    shares_state: ClassVar[bool] = True
    """Whether several threads may enhance with the same object at the same time."""

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
