"""How much of the speech an output kept, told without the clean original.

Input and output are compared in short frames and in the third-octave bands of speech. What an
enhancer took away, the residual, tells most: it should be the noise, so it should neither rise and
fall with the speech nor be a changed copy of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .excerpts import RATE, Mono

__all__ = ["Survival", "compare"]

_Array = NDArray[np.float64]
_Mask = NDArray[np.bool_]

_FRAME, _HOP = 512, 256  # samples
_SHORTEST = RATE // 4  # samples: under it there are too few frames to compare
_SILENCE = 1e-5  # root mean square: -100 dBFS
_FLOOR = 1e-6  # power, of an input scaled to a power of one
_WINDOW = np.hanning(_FRAME + 1)[:-1]
_FREQUENCIES = np.fft.rfftfreq(_FRAME, 1 / RATE)
_CENTRES = 150 * 2 ** (np.arange(17) / 3)  # Hz: third octaves, as STOI has, and two above them
_BANDS = (
    (_FREQUENCIES[:, None] >= _CENTRES * 2 ** (-1 / 6))
    & (_FREQUENCIES[:, None] < _CENTRES * 2 ** (1 / 6))
).astype(float)
_STOI_BANDS = slice(0, 15)
_TELEPHONE = (_FREQUENCIES > 300) & (_FREQUENCIES < 3400)
_TREBLE = _FREQUENCIES > 4000
_BASS = (_FREQUENCIES > 60) & (_FREQUENCIES < 300)


class Survival(NamedTuple):
    """What happened to the speech between an input and an output. Levels are in dB."""

    residual_rise: float
    """How much louder the residual is while somebody speaks than in the pauses."""
    coherence: float
    """Of output and input, -1 to 1, in the bands and frames where speech is loud."""
    treble_change: float
    """Of the level above 4 kHz against that of 300 to 3400 Hz, during speech."""
    bass_change: float
    """The same from 60 to 300 Hz."""
    modulation_change: float
    """Of the syllables (2 to 10 Hz) against faster changes (over 12 Hz) in the envelopes."""
    residual_fluctuation: float
    """How far the level of the residual strays within a band."""
    contrast: float
    """How much louder speech is than the pauses, in the input."""
    flutter: float
    """How much more the level changes from one frame to the next, during speech."""
    residual_over_noise: float
    """Level of the residual against that of the noise, where there is only noise."""


def compare(before: Mono, after: Mono) -> Survival | None:
    """Compare two excerpts at 16 kHz, of one length and in time with each other.

    None for less than a quarter of a second, and where ``before`` is silent.
    """
    if len(before) < _SHORTEST:
        return None
    level = float(np.sqrt(np.mean(np.square(before, dtype=np.float64))))
    if level < _SILENCE:
        return None
    source, result = _spectrum(before / level), _spectrum(after / level)
    source_power, result_power = np.abs(source) ** 2, np.abs(result) ** 2
    x, y = source_power @ _BANDS + _FLOOR, result_power @ _BANDS + _FLOOR
    r = np.abs(source - result) ** 2 @ _BANDS + _FLOOR
    x_db, y_db, r_db = _db(x), _db(y), _db(r)

    active = _active(x)
    noise, loud, noisy = _cells(x)
    cross = (source * result.conj()).real @ _BANDS
    return Survival(
        residual_rise=_rise(r_db, active),
        coherence=float(np.mean((cross / np.sqrt(x * y))[loud])),
        treble_change=_tilt(result_power[active], _TREBLE) - _tilt(source_power[active], _TREBLE),
        bass_change=_tilt(result_power[active], _BASS) - _tilt(source_power[active], _BASS),
        modulation_change=_modulation(np.sqrt(y)) - _modulation(np.sqrt(x)),
        residual_fluctuation=float(r_db.std(axis=0).mean()),
        contrast=_rise(x_db, active),
        flutter=_flux(y_db, active) - _flux(x_db, active),
        residual_over_noise=float(np.mean((r_db - _db(noise))[noisy])),
    )


def _spectrum(samples: NDArray[np.floating]) -> NDArray[np.complex128]:
    padded = np.pad(samples.astype(np.float64), (0, _FRAME))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP]
    return np.fft.rfft(frames * _WINDOW, axis=1)


def _db(power: _Array) -> _Array:
    decibels: _Array = 10 * np.log10(np.maximum(power, 1e-12))
    return decibels


def _active(bands: _Array) -> _Mask:
    """The frames in which somebody speaks: their level is well above the background."""
    level = _db(bands[:, _STOI_BANDS].sum(axis=1))
    background, speech = np.percentile(level, (10, 95))
    active: _Mask = level >= max(level.max() - 40, background + 0.3 * (speech - background))
    return active


def _cells(bands: _Array) -> tuple[_Array, _Mask, _Mask]:
    """The noise in each band; where speech is loud; where there is only noise."""
    five = np.ones(5) / 5
    smooth = np.column_stack([np.convolve(band, five, "same") for band in bands.T])
    noise = np.percentile(smooth, 15, axis=0) + _FLOOR
    peaks = bands > np.percentile(bands, 95, axis=0) * 10**-1.5
    speech, quiet = (smooth > noise * 10) & peaks, smooth < noise * 2.5
    few = 20
    return (
        noise,
        speech if np.count_nonzero(speech) > few else peaks,
        quiet if np.count_nonzero(quiet) >= few else peaks,
    )


def _rise(level: _Array, active: _Mask) -> float:
    pauses = level[~active]
    rest = pauses if len(pauses) > 4 else level
    return float((level[active].mean(axis=0) - rest.mean(axis=0)).mean())


def _tilt(power: _Array, part: _Mask) -> float:
    share = power[:, part].sum() + _FLOOR, power[:, _TELEPHONE].sum() + _FLOOR
    return float(10 * np.log10(share[0] / share[1]))


def _modulation(envelopes: _Array) -> float:
    power = np.abs(np.fft.rfft(envelopes - envelopes.mean(axis=0), axis=0)) ** 2
    rate = np.fft.rfftfreq(len(envelopes), _HOP / RATE)
    syllables = power[(rate >= 2) & (rate <= 10)].sum() + _FLOOR
    return float(10 * np.log10(syllables / (power[rate > 12].sum() + _FLOOR)))


def _flux(level: _Array, active: _Mask) -> float:
    steps = np.abs(np.diff(level, axis=0))
    during = steps[active[1:]]
    return float((during if len(during) else steps).mean())
