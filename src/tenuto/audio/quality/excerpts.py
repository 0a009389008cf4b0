"""Which parts of a recording are judged, and in what form.

Judging costs time, and a long recording needs no more of it than a short one: up to ``count``
excerpts of nine seconds tell. They are spread over the recording, and each is taken where, in its
share, the level rises above the background most of the time: where somebody speaks.

One channel is heard: the mean of all. Where they cancel out, as they do when one of two wires is
swapped, the mean holds the noise alone, or nothing; there it is the loudest channel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from tenuto.audio.sound import Samples
from tenuto.audio.survey import Survey

__all__ = ["RATE", "WINDOW", "Excerpt", "Excerpts", "Mono", "choose_excerpts"]

Mono = NDArray[np.float32]

RATE = 16_000
"""Hz: the rate at which speech is judged."""

WINDOW = 9.01
"""Seconds: what the meter hears at a time."""

_ACTIVE = 0.5  # of the way, in dB, from the background to the loud parts

_CANCELLED = 0.7
"""Power of the mean of channels, over what it is of as many that have nothing in common."""


class Excerpt(NamedTuple):
    """A part of a sound, in frames, and how it is heard."""

    start: int
    stop: int
    channel: int | None = None
    """The one to listen to; None for the mean of all."""


def choose_excerpts(survey: Survey, count: int = 3) -> tuple[Excerpt, ...]:
    """Up to ``count`` excerpts of at most ``WINDOW`` seconds, in order.

    A recording that fits into one window is one excerpt, however short it is.
    """
    return tuple(
        Excerpt(start, stop, _channel(survey, start, stop))
        for start, stop in _windows(survey, count)
    )


def _windows(survey: Survey, count: int) -> Iterator[tuple[int, int]]:
    frame, frames = survey.frame, len(survey.powers)
    window = int(WINDOW * survey.rate) // frame
    if frames <= window:
        yield 0, survey.frames
        return
    heard = np.concatenate([[0], np.cumsum(_active(survey.powers))])
    activity = heard[window:] - heard[:-window]
    shares = np.array_split(activity, min(count, -(-frames // window)))
    firsts = np.cumsum([0, *(len(share) for share in shares[:-1])])
    for first, share in zip(firsts, shares, strict=True):
        start = int(first + np.argmax(share))
        yield start * frame, (start + window) * frame


def _channel(survey: Survey, start: int, stop: int) -> int | None:
    """The channel to listen to, from what is known of the seconds that the excerpt touches."""
    first, last = start // survey.rate, -(-stop // survey.rate)
    powers = survey.powers[first * survey.rate // survey.frame : last * survey.rate // survey.frame]
    if survey.channels == 1 or not len(powers):
        return None
    expected = float(powers.mean()) / survey.channels
    if survey.mean_powers[first:last].mean() >= _CANCELLED * expected:
        return None
    return int(survey.crests[first:last].sum(axis=0).argmax())


class Excerpts:
    """Cuts excerpts out of a sound that goes by."""

    def __init__(self, excerpts: Sequence[Excerpt]) -> None:
        self._excerpts = excerpts
        self._parts: list[list[Mono]] = [[] for _ in excerpts]
        self._frames = 0

    @property
    def complete(self) -> bool:
        """Whether the last of them has gone by."""
        return all(self._frames >= each.stop for each in self._excerpts)

    def see(self, block: Samples) -> None:
        """The next frames of the sound."""
        for (start, stop, channel), parts in zip(self._excerpts, self._parts, strict=True):
            part = block[max(start - self._frames, 0) : max(stop - self._frames, 0)]
            if len(part) and channel is None:
                parts.append(part.mean(axis=1, dtype=np.float32))
            elif len(part):
                # An output may lack the channel, and is turned away for it; a view would keep the
                # whole block.
                parts.append(part[:, min(channel, part.shape[1] - 1)].copy())
        self._frames += len(block)

    def heard(self, rate: int) -> Iterator[Mono]:
        """Each as the meters hear it: one channel, 16 kHz."""
        for parts in self._parts:
            mono = np.concatenate([np.zeros(0, np.float32), *parts])
            yield mono if rate == RATE or not len(mono) else soxr.resample(mono, rate, RATE)


def _active(powers: NDArray[np.float32]) -> NDArray[np.bool_]:
    level = 10 * np.log10(powers + 1e-10)
    background, loud = np.percentile(level, (10, 95))
    active: NDArray[np.bool_] = level > background + _ACTIVE * (loud - background)
    return active
