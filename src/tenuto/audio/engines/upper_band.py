"""What to do with the sound above the band of an engine: keep it, as loud as it deserves.

An engine at 16 kHz hears nothing above 8 kHz. To drop the rest would make a 48 kHz recording dull;
to keep it as it is would leave all its hiss. So it is turned down as far as the engine turned down
the highest octave it did hear: noise up there falls with the noise below it, and the upper part of
an "s" stays with the lower.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfilt

from tenuto.audio.resample import Mono

from .blocks import framed

__all__ = ["UpperBand"]

_FRAME_SECONDS = 0.01
_RELEASE_SECONDS = 0.05
"""How slowly the measured powers change: fast enough for a consonant, too slow to be heard."""


class UpperBand:
    """For one channel at ``rate`` Hz that an engine enhanced at ``native_rate`` Hz."""

    def __init__(self, rate: int, native_rate: int) -> None:
        self._frame = max(1, round(rate * _FRAME_SECONDS))
        nyquist = native_rate / 2
        self._octave = butter(4, (nyquist * 0.45, nyquist * 0.9), "bandpass", fs=rate, output="sos")
        self._decay = float(np.exp(-_FRAME_SECONDS / _RELEASE_SECONDS))
        self._filters = [np.zeros((len(self._octave), 2)) for _ in range(2)]
        self._smoothers = [np.zeros(1) for _ in range(2)]
        self._last = 1.0

    def restored(
        self, original: Iterable[Mono], before: Iterable[Mono], after: Iterable[Mono]
    ) -> Iterator[Mono]:
        """``after``, and above it what of ``original`` the engine could not hear.

        ``before`` and ``after`` are the engine's input and output, back at the full rate. Where
        the engine changed nothing, the original comes back sample for sample.
        """
        frame = self._frame
        for full, low, enhanced in zip(
            *(_even(blocks, frame) for blocks in (original, before, after)), strict=False
        ):
            yield enhanced + self._gain(low, enhanced) * (full - low)

    def _gain(self, low: Mono, enhanced: Mono) -> Mono:
        heard, kept = self._power(0, low), self._power(1, enhanced)
        # Where nothing was heard nothing was found to be noise.
        gain = np.sqrt(np.clip((kept + 1e-12) / (heard + 1e-12), 0.0, 1.0))
        knots = np.concatenate(((self._last,), gain))
        self._last = float(gain[-1])
        at = np.arange(len(low)) / self._frame
        return np.interp(at, np.arange(len(knots)), knots).astype(np.float32)

    def _power(self, which: int, block: Mono) -> NDArray[np.float64]:
        """Smoothed power of the engine's highest octave, a value a frame."""
        octave, self._filters[which] = sosfilt(self._octave, block, zi=self._filters[which])
        power = np.square(octave).reshape(-1, self._frame).mean(axis=1)
        a = self._decay
        smooth, self._smoothers[which] = lfilter([1 - a], [1, -a], power, zi=self._smoothers[which])
        result: NDArray[np.float64] = smooth
        return result


def _even(blocks: Iterable[Mono], frame: int) -> Iterator[Mono]:
    """Blocks of one size, so that several streams stay in step."""
    size = 64 * frame
    for ready in framed(blocks, size):
        yield from ready.reshape(-1, size)
