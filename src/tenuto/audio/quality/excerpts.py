"""Which parts of a recording are judged, and in what form.

Judging costs time, and a long recording needs no more of it than a short one: up to ``count``
excerpts of nine seconds tell. They are spread over the recording, and each is taken where, in its
share, the level rises above the background most of the time: where somebody speaks.
"""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from tenuto.audio.sound import Samples

__all__ = ["RATE", "WINDOW", "Mono", "choose_excerpts", "cut"]

Mono = NDArray[np.float32]

RATE = 16_000
"""Hz: the rate at which speech is judged."""

WINDOW = 9.01
"""Seconds: what the meter hears at a time."""

_FRAME = 0.02  # seconds
_BLOCK = 1 << 20  # frames looked at in one go: a long recording is on disk
_ACTIVE = 0.5  # of the way, in dB, from the background to the loud parts


def choose_excerpts(samples: Samples, rate: int, count: int = 3) -> tuple[slice, ...]:
    """Up to ``count`` slices of at most ``WINDOW`` seconds, in order, in frames of ``samples``.

    ``samples`` has the shape (frames, channels). A recording that fits into one window is one
    slice, however short it is.
    """
    frame = max(1, round(_FRAME * rate))
    frames = len(samples) // frame
    window = int(WINDOW * rate) // frame
    if frames <= window:
        return (slice(0, len(samples)),)
    active = _active_frames(samples, frame)
    heard = np.concatenate([[0], np.cumsum(active)])
    activity = heard[window:] - heard[:-window]
    shares = np.array_split(activity, min(count, -(-frames // window)))
    firsts = np.cumsum([0, *(len(share) for share in shares[:-1])])
    starts = (int(first + np.argmax(share)) for first, share in zip(firsts, shares, strict=True))
    return tuple(slice(start * frame, (start + window) * frame) for start in starts)


def cut(samples: Samples, rate: int, excerpt: slice) -> Mono:
    """The excerpt as the meters hear it: one channel (the mean of all), 16 kHz."""
    mono: Mono = samples[excerpt].mean(axis=1, dtype=np.float32)
    if rate == RATE or not len(mono):
        return mono
    resampled: Mono = soxr.resample(mono, rate, RATE)
    return resampled


def _active_frames(samples: Samples, frame: int) -> NDArray[np.bool_]:
    block = max(1, _BLOCK // frame) * frame
    whole = len(samples) // frame * frame
    power = [
        np.mean(np.square(samples[start : min(start + block, whole)]), axis=1)
        .reshape(-1, frame)
        .mean(axis=1)
        for start in range(0, whole, block)
    ]
    level = 10 * np.log10(np.concatenate(power) + 1e-10)
    background, loud = np.percentile(level, (10, 95))
    active: NDArray[np.bool_] = level > background + _ACTIVE * (loud - background)
    return active
