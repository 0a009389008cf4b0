"""What one pass over a sound tells, in little room: all that is later asked of it as a whole."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .ceilings import Ceilings
from .sound import Samples, blocks_of

__all__ = ["Survey", "Surveyor", "survey_of"]

_FRAME = 0.02  # seconds

_Line = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """A sound from afar. It takes some 200 bytes for each second, and 4 a channel."""

    rate: int
    """In Hz."""
    frames: int
    peaks: NDArray[np.float32]
    """The largest magnitude in each channel; NaN where it has one."""
    twins: tuple[int | None, ...]
    """For each channel, the first one before it that is the same, sample for sample."""
    level: float
    """Root mean square of all samples."""
    clipped: float
    """Share of all samples at a ceiling: full scale, or the greatest value of their channel and
    sign, where that is half of full scale or more and comes twice in a row."""
    frame: int
    """How many instants each of the ``powers`` is about."""
    powers: NDArray[np.float32]
    """Mean square of each 20 ms, over all channels; without an unfinished end."""
    crests: NDArray[np.float32]
    """The largest magnitude in each second of each channel, shape (seconds, channels)."""
    mean_powers: NDArray[np.float32]
    """Mean square, in each second, of the mean of all channels: little where they cancel out."""

    @property
    def channels(self) -> int:
        """How many values each instant has."""
        return len(self.peaks)

    @property
    def shape(self) -> tuple[int, int]:
        """Frames and channels."""
        return self.frames, self.channels

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.frames / self.rate

    @property
    def finite(self) -> bool:
        """Whether every sample is a finite number."""
        return bool(np.isfinite(self.peaks).all())


class Surveyor:
    """Makes the survey of a sound of ``rate`` Hz whose blocks it sees, in order."""

    def __init__(self, rate: int, channels: int) -> None:
        self._rate = rate
        self._frame = max(1, round(_FRAME * rate))
        self._frames = 0
        self._peaks = np.zeros(channels, np.float32)
        self._families = [list(range(channels))]
        self._ceilings = Ceilings(channels)
        self._power = 0.0
        self._powers = array("f")  # no list of arrays: a block may be a few milliseconds long
        self._rest = np.zeros(0, np.float32)
        self._crests = array("f")
        self._crest = np.zeros(channels, np.float32)
        self._mean_powers = array("f")
        self._mean_power = 0.0  # a sum, until the second is over

    def see(self, block: Samples) -> None:
        """The next frames of the sound."""
        if not block.size:
            self._frames += len(block)
            return
        channels = np.ascontiguousarray(block.T)  # along which numpy is 50 times as fast
        with np.errstate(over="ignore", invalid="ignore"):  # what is no sound is found by its peak
            greatest, least = channels.max(axis=1), channels.min(axis=1)
            self._ceilings.see(channels, greatest, least)
            for extremes in (greatest, -least):
                np.maximum(self._peaks, extremes, out=self._peaks)  # keeps a NaN
            magnitude = np.abs(channels)
            square = np.square(magnitude)
            self._power += float(np.sum(square, dtype=np.float64))
            power = square.mean(axis=0)
            self._add_powers(power)
            alone = len(channels) == 1
            self._add_seconds(magnitude, power if alone else np.square(channels.mean(axis=0)))
        self._families = [part for family in self._families for part in _parted(family, channels)]
        self._frames += len(block)

    def survey(self) -> Survey:
        """Of all that was seen."""
        size = max(1, self._frames * len(self._peaks))
        crests = np.array(self._crests, np.float32)
        mean_powers = np.array(self._mean_powers, np.float32)
        if begun := self._frames % self._rate:
            crests = np.append(crests, self._crest)
            mean_powers = np.append(mean_powers, np.float32(self._mean_power / begun))
        twins: list[int | None] = [None] * len(self._peaks)
        for family in self._families:
            for other in family[1:]:
                twins[other] = family[0]
        return Survey(
            rate=self._rate,
            frames=self._frames,
            peaks=self._peaks,
            twins=tuple(twins),
            level=(self._power / size) ** 0.5,
            clipped=self._ceilings.count() / size,
            frame=self._frame,
            powers=np.array(self._powers, np.float32),
            crests=crests.reshape(len(mean_powers), len(self._peaks)),
            mean_powers=mean_powers,
        )

    def _add_powers(self, line: _Line) -> None:
        line = np.concatenate((self._rest, line))
        whole = len(line) // self._frame * self._frame
        if whole:
            powers = line[:whole].reshape(-1, self._frame).mean(axis=1)
            self._powers.frombytes(powers.astype(np.float32, copy=False).tobytes())
        self._rest = line[whole:].copy()

    def _add_seconds(self, magnitude: _Line, mean_power: _Line) -> None:
        frames = len(mean_power)
        to_the_second = self._rate - self._frames % self._rate
        starts = [0, *range(to_the_second, frames, self._rate)]
        crests = np.maximum.reduceat(magnitude, starts, axis=1).T
        crests[0] = np.maximum(crests[0], self._crest)  # keeps a NaN
        sums = np.add.reduceat(mean_power, starts)
        sums[0] += self._mean_power
        ends = (self._frames + frames) % self._rate == 0
        whole = len(starts) if ends else len(starts) - 1
        self._crests.frombytes(crests[:whole].astype(np.float32, copy=False).tobytes())
        mean_powers = sums[:whole] / np.float32(self._rate)
        self._mean_powers.frombytes(mean_powers.astype(np.float32, copy=False).tobytes())
        self._crest = np.zeros_like(self._crest) if ends else crests[-1].copy()
        self._mean_power = 0.0 if ends else float(sums[-1])


def survey_of(samples: Samples, rate: int) -> Survey:
    """The survey of a whole sound, of shape (frames, channels)."""
    surveyor = Surveyor(rate, samples.shape[1])
    for block in blocks_of(samples):
        surveyor.see(block)
    return surveyor.survey()


def _parted(family: list[int], channels: _Line) -> Iterator[list[int]]:
    """The channels of ``family``, equal so far, in groups of those that still are."""
    if len(family) == 1:
        yield family
        return
    groups: dict[bytes, list[int]] = {}
    for channel in family:
        groups.setdefault(channels[channel].tobytes(), []).append(channel)
    yield from groups.values()
