"""Samples that are wrong, replaced by the line between their neighbours, in a sound that goes by.

What comes before the end of a gap cannot be told before the end is there, so blocks with an open
gap are held back. A gap is a small share of the sound, or the sound is refused: that bounds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tenuto.audio.sound import Samples

__all__ = ["Predicate", "filled"]

Predicate: TypeAlias = Callable[[Samples], NDArray[np.bool_]]
"""Which samples are wrong."""


def filled(blocks: Iterator[Samples], wrong: Predicate) -> Iterator[Samples]:
    """The blocks without the ``wrong`` samples; a gap at an end takes the value beside it."""
    before: Samples | None = None  # the last frame that was given
    held: list[Samples] = []
    waiting = np.zeros(1, np.bool_)  # the channels with an open gap
    for block in blocks:
        bad = wrong(block)
        if not held and not bad.any():
            yield block
            before = block[-1:] if len(block) else before
            continue
        held.append(block)
        if (waiting & bad.all(axis=0)).any():
            continue  # to try again with each block of a long gap would cost its square
        joined = np.concatenate(held)
        bad = wrong(joined)
        closed = _frames_to_the_last_good_one(bad)
        waiting = closed < len(joined)
        safe = int(closed.min())
        held = [joined[safe:]] if safe < len(joined) else []
        if safe:
            mended = _mended(joined, bad, before)
            yield mended[:safe]
            before = mended[safe - 1 : safe]
    if held:
        joined = np.concatenate(held)
        yield _mended(joined, wrong(joined), before)


def _frames_to_the_last_good_one(bad: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each channel."""
    good = ~bad[::-1]
    return np.where(good.any(axis=0), len(bad) - good.argmax(axis=0), 0)


def _mended(block: Samples, bad: NDArray[np.bool_], before: Samples | None) -> Samples:
    """A copy of ``block`` with lines from neighbour to neighbour, the first of which is before."""
    first = 0 if before is None else 1
    mended = np.concatenate((block[:0] if before is None else before, block))
    for channel in np.flatnonzero(bad.any(axis=0)):
        wrong = np.flatnonzero(bad[:, channel]) + first
        starts = np.concatenate(([True], np.diff(wrong) > 1))
        run = np.cumsum(starts) - 1
        left = (wrong[starts] - 1)[run]
        right = (wrong[np.concatenate((starts[1:], [True]))] + 1)[run]
        # A gap at an end of the sound has one neighbour only, and takes its value.
        left, right = np.where(left < 0, right, left), np.where(right >= len(mended), left, right)
        value, after = mended[left, channel], mended[right, channel]
        share = (wrong - left) / np.maximum(right - left, 1)
        mended[wrong, channel] = value + (after - value) * share
    return mended[first:]
