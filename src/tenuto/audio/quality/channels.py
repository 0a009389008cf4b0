"""What is asked of every channel by itself, at next to no cost.

Of many channels only their mean is listened to, or one. So all of them are sampled, in the input
and in the output, at a few thousand instants: enough to tell how one is related to another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenuto.audio.sound import Samples

__all__ = ["Soundings", "broken_channel"]

_INSTANTS = 4096  # as many tell a correlation of speech to a few hundredths
_GOLDEN = (5**0.5 - 1) / 2  # its multiples, modulo 1, are spread evenly and in no rhythm
_STEP = 1e-3
"""Seconds. A change within them is of the voice, around 500 Hz, and hardly of what rumbles below,
the phase of which an engine may well turn."""

_INVERTED = -0.2
"""A correlation. With noise of 10 dB over the speech 0.2 is left of it; less may be chance."""
_HEARD = 1e-2
"""Of the input's power: what is left of mere tones has any phase, and less than this."""
_SILENT = 1e-6  # 60 dB below the input
_ELSEWHERE = 0.5
"""A correlation, between what was silenced and what is kept in another channel."""
_INAUDIBLE = 1e-8  # power: -80 dBFS

_Changes = NDArray[np.float64]


class Soundings:
    """Samples of each channel at a few thousand instants of a sound that goes by."""

    def __init__(self, frames: int, rate: int, channels: int) -> None:
        step = max(1, round(_STEP * rate))
        spread = np.arange(_INSTANTS) * _GOLDEN % 1 * max(0, frames - step)
        first = np.sort(spread.astype(np.int64))
        self._instants = first, first + step
        self._values = tuple(np.zeros((_INSTANTS, channels), np.float32) for _ in self._instants)
        self._frames = 0

    @property
    def complete(self) -> bool:
        """Whether the last of the instants has gone by."""
        return self._frames > int(self._instants[1][-1])

    def see(self, block: Samples) -> None:
        """The next frames of the sound."""
        for instants, values in zip(self._instants, self._values, strict=True):
            now = slice(*np.searchsorted(instants, (self._frames, self._frames + len(block))))
            values[now] = block[instants[now] - self._frames]
        self._frames += len(block)

    def changes(self) -> _Changes:
        """How much the sound changes in a millisecond, shape (instants, channels)."""
        first, second = self._values
        changes: _Changes = second.astype(np.float64) - first
        changes -= changes.mean(axis=0)
        return changes


def broken_channel(before: Soundings, after: Soundings) -> str | None:
    """What is wrong with a channel of ``after``, as a sentence; None if nothing is.

    It is inverted; or it is 60 dB down, though what it held was no noise: another channel kept it.
    """
    x, y = before.changes(), after.changes()
    if x.shape[1] == 1:
        return None  # it is listened to
    power, left = np.mean(x * x, axis=0), np.mean(y * y, axis=0)
    audible, silent = power > _INAUDIBLE, left < _SILENT * power
    inverted = np.mean(x * y, axis=0) < _INVERTED * np.sqrt(power * left)
    inverted &= audible & (left > _HEARD * power)
    if inverted.any():
        return f"channel {inverted.argmax() + 1} of the output is upside down"
    others, others_left = y[:, ~silent], left[~silent]
    for channel in np.flatnonzero(audible & silent):
        kept = np.abs(x[:, channel] @ others) / len(x)
        if (kept > _ELSEWHERE * np.sqrt(power[channel] * others_left)).any():
            return f"channel {channel + 1} of the output is silent, that of the input is not"
    return None
