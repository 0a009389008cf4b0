"""Which parts of a recording are judged, and in what form.

Judging costs time, and a long recording needs no more of it than a short one: up to ``count``
excerpts of nine seconds tell. They are spread over the recording, and each is taken where, in its
share, the level rises above the background most of the time: where somebody speaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import soxr
from numpy.typing import NDArray

from tenuto.audio.sound import Samples
from tenuto.audio.survey import Survey

__all__ = ["RATE", "WINDOW", "Excerpts", "Mono", "choose_excerpts"]

Mono = NDArray[np.float32]

RATE = 16_000
"""Hz: the rate at which speech is judged."""

WINDOW = 9.01
"""Seconds: what the meter hears at a time."""

_ACTIVE = 0.5  # of the way, in dB, from the background to the loud parts


def choose_excerpts(survey: Survey, count: int = 3) -> tuple[slice, ...]:
    """Up to ``count`` slices of at most ``WINDOW`` seconds, in order, in frames of the sound.

    A recording that fits into one window is one slice, however short it is.
    """
    frame, frames = survey.frame, len(survey.powers)
    window = int(WINDOW * survey.rate) // frame
    if frames <= window:
        return (slice(0, survey.frames),)
    heard = np.concatenate([[0], np.cumsum(_active(survey.powers))])
    activity = heard[window:] - heard[:-window]
    shares = np.array_split(activity, min(count, -(-frames // window)))
    firsts = np.cumsum([0, *(len(share) for share in shares[:-1])])
    starts = (int(first + np.argmax(share)) for first, share in zip(firsts, shares, strict=True))
    return tuple(slice(start * frame, (start + window) * frame) for start in starts)


class Excerpts:
    """Cuts excerpts out of a sound that goes by."""

    def __init__(self, slices: Sequence[slice]) -> None:
        self._slices = slices
        self._parts: list[list[Mono]] = [[] for _ in slices]
        self._frames = 0

    @property
    def complete(self) -> bool:
        """Whether the last of them has gone by."""
        return all(self._frames >= each.stop for each in self._slices)

    def see(self, block: Samples) -> None:
        """The next frames of the sound."""
        for excerpt, parts in zip(self._slices, self._parts, strict=True):
            part = block[max(excerpt.start - self._frames, 0) : max(excerpt.stop - self._frames, 0)]
            if len(part):
                parts.append(part.mean(axis=1, dtype=np.float32))
        self._frames += len(block)

    def heard(self, rate: int) -> Iterator[Mono]:
        """Each as the meters hear it: one channel (the mean of all), 16 kHz."""
        for parts in self._parts:
            mono = np.concatenate([np.zeros(0, np.float32), *parts])
            yield mono if rate == RATE or not len(mono) else soxr.resample(mono, rate, RATE)


def _active(powers: NDArray[np.float32]) -> NDArray[np.bool_]:
    level = 10 * np.log10(powers + 1e-10)
    background, loud = np.percentile(level, (10, 95))
    active: NDArray[np.bool_] = level > background + _ACTIVE * (loud - background)
    return active
