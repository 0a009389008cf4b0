"""A Wiener filter, for when there is nothing else: no weights, no native code, any rate.

The gain of each frequency is ξ / (1 + ξ), where the signal-to-noise ratio ξ is estimated by the
decision-directed rule of Y. Ephraim and D. Malah, "Speech Enhancement Using a Minimum Mean-Square
Error Short-Time Spectral Amplitude Estimator", IEEE TASSP 32 (1984), equation 51. That rule is late
at the onset of a sound. A recording can be heard backwards as well, where its onsets are endings:
so it is run both ways, and the larger gain is taken.

The noise is what is left in the quieter moments of the seconds around.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import uniform_filter1d

from tenuto.audio.resample import Mono

from .streaming import Stream, StreamingEngine

__all__ = ["Wiener"]

Spectra = NDArray[np.float32]
"""Shape (windows, frequencies)."""

_HOP_SECONDS = 0.016
"""Half a window; speech is much the same for the length of one."""
_WINDOWS = 250
"""Four seconds are worked on together, and the four after them are known."""
_PAST = 2
"""How many such stretches before the present one tell of its noise."""

_MEMORY = 0.88
"""The weight of the last decision in equation 51, tuned for half-overlapped windows."""
_FLOOR = 10 ** (-22 / 20)
"""The least gain. It leaves a little even noise, which hides the holes."""
_LEAST_SNR = 10 ** (-25 / 10)
_MOST_SNR = 1e4
_QUIET_PERCENTILE = 20.0
_QUIET_TO_MEAN = 1.5
"""The mean power of noise over its 20th percentile, both smoothed over five windows; a little more
than theory says, as the mean is of all the noise and not of the quiet part alone."""
_QUIET_WINDOWS = 5
_LEAST_POWER = 1e-12
_LOOK_BACK = 32
"""Windows of the next stretch that the backward run starts from."""


class Wiener(StreamingEngine):
    """The basic tier: works on any finite sound."""

    name = "wiener"
    tier = "basic"
    native_rate = None

    @contextmanager
    def open_stream(self, rate: int) -> Generator[Stream, None, None]:
        channel = _Channel(next_fast_len(round(rate * _HOP_SECONDS), real=True))
        yield Stream(channel.process, channel.stretch, channel.delay)


class _Channel:
    """Holds a stretch back until the next one is known."""

    def __init__(self, hop: int) -> None:
        self.hop = hop
        self.stretch = _WINDOWS * hop
        self.delay = self.stretch + hop
        self._window = np.sin(np.pi * (np.arange(2 * hop) + 0.5) / (2 * hop)).astype(np.float32)
        self._heard = np.zeros(hop, np.float32)
        self._said = np.zeros(hop, np.float32)
        nothing = np.zeros((_WINDOWS, hop + 1), np.complex64)
        self._waiting, self._waiting_power = nothing, np.zeros(nothing.shape, np.float32)
        self._powers: deque[Spectra] = deque([self._waiting_power], maxlen=_PAST + 2)
        self._decided = np.zeros(hop + 1, np.float32)

    def process(self, block: Mono) -> Mono:
        return np.concatenate([self._step(part) for part in block.reshape(-1, self.stretch)])

    def _step(self, part: Mono) -> Mono:
        """Take a stretch in, give the one before it."""
        spectra = self._analysed(part)
        power = np.square(spectra.real) + np.square(spectra.imag)
        self._powers.append(power)
        gains = self._gains(self._waiting_power, power, _noise(self._powers))
        said = self._synthesised(self._waiting * gains)
        self._waiting, self._waiting_power = spectra, power
        return said

    def _gains(self, power: Spectra, following: Spectra, noise: Spectra) -> Spectra:
        ahead = np.concatenate((power, following[:_LOOK_BACK])) / noise
        np.minimum(ahead, _MOST_SNR, out=ahead)
        forward, self._decided = _decision_directed(ahead[: len(power)], self._decided)
        backward, _ = _decision_directed(ahead[::-1], np.zeros_like(self._decided))
        gains: Spectra = np.maximum(forward, backward[: -len(power) - 1 : -1])
        return np.maximum(gains, _FLOOR, out=gains)

    def _analysed(self, part: Mono) -> NDArray[np.complex64]:
        halves = np.concatenate((self._heard, part)).reshape(-1, self.hop)
        self._heard = halves[-1].copy()
        windows = np.concatenate((halves[:-1], halves[1:]), axis=1)
        spectra: NDArray[np.complex64] = rfft(windows * self._window, axis=1)
        return spectra

    def _synthesised(self, spectra: NDArray[np.complex64]) -> Mono:
        windows = irfft(spectra, 2 * self.hop, axis=1) * self._window
        said: Mono = windows[:, : self.hop]
        said[0] += self._said
        said[1:] += windows[:-1, self.hop :]
        self._said = windows[-1, self.hop :].copy()
        return said.reshape(-1)


def _noise(powers: deque[Spectra]) -> Spectra:
    """The noise's mean power at each frequency.

    Windows without any power are digital silence, or beyond the ends: they tell nothing.
    """
    every = np.concatenate(powers)
    sounding = every[every.any(axis=1)]
    if not len(sounding):
        return np.full(every.shape[1], _LEAST_POWER, np.float32)
    smooth = uniform_filter1d(sounding, _QUIET_WINDOWS, axis=0, mode="nearest")
    quiet = np.percentile(smooth, _QUIET_PERCENTILE, axis=0) * _QUIET_TO_MEAN
    noise: Spectra = np.maximum(quiet, _LEAST_POWER).astype(np.float32)
    return noise


def _decision_directed(snr: Spectra, decided: Spectra) -> tuple[Spectra, Spectra]:
    """Wiener gains from a-posteriori ratios, window by window.

    ``decided`` is the speech power found in the window before, relative to the noise; that of the
    last window is returned beside the gains.
    """
    fresh = np.maximum(snr - 1.0, 0.0)
    fresh *= 1.0 - _MEMORY
    gains = np.empty_like(snr)
    for posterior, new, gain in zip(snr, fresh, gains, strict=True):
        prior = np.maximum(new + _MEMORY * decided, _LEAST_SNR)
        np.divide(prior, prior + 1.0, out=gain)
        decided = gain * gain * posterior
    return gains, decided
