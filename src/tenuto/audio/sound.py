"""What the codec hands to the rest of the pipeline: samples, and where they came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Chunks", "Passage", "Samples", "Sound", "SourceFormat", "blocks_of", "chunked"]

Samples: TypeAlias = NDArray[np.float32]
"""Shape (frames, channels), C-contiguous, nominal range ±1."""

Chunks: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Of a WAV file, name and content of each."""

_BLOCK = 1 << 18
"""Samples looked at together, over all channels: 1 MiB."""


def blocks_of(samples: Samples) -> Iterator[Samples]:
    """All frames of an array in order, in parts that can be copied without a thought."""
    frames, channels = samples.shape
    step = max(1, _BLOCK // max(1, channels))
    return (samples[start : start + step] for start in range(0, frames, step))


def chunked(blocks: Iterable[Samples], size: int) -> Iterator[Samples]:
    """A sound that comes in blocks, in chunks of ``size`` frames; the last has what is left."""
    held: list[Samples] = []
    missing = size
    for block in blocks:
        rest = block
        while len(rest) >= missing:
            held.append(rest[:missing])
            rest, missing = rest[missing:], size
            yield _joined(held)
        if len(rest):
            held.append(rest)
            missing -= len(rest)
    if held:
        yield _joined(held)


def _joined(blocks: list[Samples]) -> Samples:
    """All of them in one, which takes their place: they are let go of."""
    whole = np.concatenate(blocks)
    blocks.clear()
    return whole


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """How a sound is kept in its file. The names are libsndfile's where it has one.

    ``container`` is for example ``"WAV"``, ``"FLAC"``, ``"OGG"``, ``"MP3"``, ``"M4A"``; ``subtype``
    is ``"PCM_16"``, ``"FLOAT"``, ``"VORBIS"``, ``"AAC"``; ``endian`` is ``"FILE"`` (the container's
    usual order), ``"LITTLE"`` or ``"BIG"``.
    """

    container: str
    subtype: str
    rate: int
    """In Hz."""
    channels: int
    endian: str = "FILE"
    tags: Mapping[str, str] = field(default_factory=dict)
    """``title``, ``artist``, ``comment``, ``date`` …"""
    declared_frames: int | None = None
    """The length that the file declares; None where it declares none, or a meaningless one."""
    bit_rate: int | None = None
    """Of a lossy file, in bits a second."""
    full_scale: float = 1.0
    """The value in the file that is 1.0 in memory: 1, but for float files on an integer scale."""

    subwoofer: int | None = None
    """Which channel is for low frequencies only, as far as the file tells; the first is 0."""
    chunks: Chunks = field(default=(), repr=False)
    """What a WAV file holds besides the sound, and is kept as it is: who recorded it, marks …"""

    @property
    def duration(self) -> float | None:
        """The declared length in seconds."""
        return None if self.declared_frames is None else self.declared_frames / self.rate


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """A decoded recording.

    ``samples`` has the shape (frames, channels), at least one of each; it is C-contiguous float32,
    nominally within ±1 (a hot recording may pass that a little) and always finite. A long sound
    is a memory-mapped temporary file: work on it in blocks.
    """

    samples: Samples
    rate: int
    """In Hz."""
    source: SourceFormat
    repairs: tuple[str, ...] = ()
    """A sentence for each thing that was wrong with the file and was salvaged or repaired."""

    def __post_init__(self) -> None:
        samples = self.samples
        if samples.ndim != 2 or samples.dtype != np.float32 or not samples.flags.c_contiguous:
            raise TypeError(
                "samples must be C-contiguous float32 of shape (frames, channels), "
                f"not {samples.dtype} of shape {samples.shape}"
            )

    @property
    def frames(self) -> int:
        """How many instants were sampled."""
        return int(self.samples.shape[0])

    @property
    def channels(self) -> int:
        """How many values each instant has."""
        return int(self.samples.shape[1])

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.frames / self.rate

    def blocks(self) -> Iterator[Samples]:
        """The samples in order, a part at a time."""
        return blocks_of(self.samples)

    def with_samples(self, samples: Samples, rate: int | None = None) -> Sound:
        """The same recording with other samples, at ``rate`` Hz if it changed."""
        return replace(self, samples=samples, rate=self.rate if rate is None else rate)


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """A recording that goes by, once, and is nowhere as a whole. As ``Sound`` otherwise."""

    source: SourceFormat
    rate: int
    frames: int
    channels: int
    passing: Iterator[Samples]

    def blocks(self) -> Iterator[Samples]:
        """The samples in order, a part at a time; ``frames`` together."""
        return self.passing
