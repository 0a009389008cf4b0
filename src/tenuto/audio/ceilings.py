"""How much of a sound was cut off at the top.

Full scale is not where every recording ends. The largest values that ITU-T G.711 decodes to are
8031 of 8192 for µ-law and 4032 of 4096 for A-law, positive samples of 8 bits end at 127 of 128, and
a limiter stops where it was told to. A recording shows its own ceiling: its greatest value comes
again and again, and twice in a row, which in other sounds the topmost sample does not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ceilings"]

_FULL_SCALE = np.float32(0.999)
_LOWEST = np.float32(0.5)
"""Of what could be a ceiling. A quiet sound in few bits repeats its greatest value by chance, and
one below half of full scale has room that no enhancement needs."""

_Line = NDArray[np.float32]


class Ceilings:
    """Counts the samples at the ceilings of each channel; its blocks are seen in order."""

    def __init__(self, channels: int) -> None:
        above_and_below = (2, channels)  # 8 bits end at 127 above, at 128 below
        self._tops = np.full(above_and_below, _LOWEST)
        self._reached = np.zeros(above_and_below, np.int64)
        self._twice = np.zeros(above_and_below, np.bool_)
        self._last = np.zeros(channels, np.float32)

    def see(self, channels: _Line, greatest: _Line, least: _Line) -> None:
        """The next frames, shape (channels, frames), and their extremes in each channel."""
        for side, sign, extremes in ((0, 1, greatest), (1, -1, -least)):
            tops = np.minimum(extremes, _FULL_SCALE)
            for channel in np.flatnonzero(tops >= self._tops[side]):
                place = side, channel
                if tops[channel] > self._tops[place]:
                    self._tops[place] = tops[channel]
                    self._reached[place], self._twice[place] = 0, False
                up = sign * channels[channel] >= self._tops[place]
                up_before = sign * self._last[channel] >= self._tops[place]
                self._reached[place] += np.count_nonzero(up)
                self._twice[place] |= (up[0] and up_before) or (up[1:] & up[:-1]).any()
        self._last = channels[:, -1].copy()

    def count(self) -> int:
        """How many of all samples lie at a ceiling."""
        ceilings = self._twice | (self._tops == _FULL_SCALE)
        return int(self._reached[ceilings].sum())
