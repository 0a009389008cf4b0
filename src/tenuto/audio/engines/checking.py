"""What is checked before a sound reaches native code, and after it comes back.

One NaN turns the rest of a file into NaN in every recurrent model, a transposed array hangs or
garbles, and a native library does not raise: so nothing unchecked is handed to one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tenuto.audio.resample import Mono
from tenuto.audio.sound import Samples
from tenuto.errors import EngineError, FaultClass

__all__ = [
    "HIGHEST_RATE",
    "LOUDEST",
    "LOWEST_RATE",
    "SILENCE",
    "SilencedError",
    "UnfitSoundError",
    "blocks_of",
    "check_finite",
    "check_heard",
    "check_out",
    "peaks_of",
]

LOWEST_RATE = 4_000
"""In Hz. Below it the sound ends under 2 kHz: too little speech to tell it from noise."""

HIGHEST_RATE = 1_536_000
"""In Hz. Nothing records faster; a header that says so is wrong."""

MOST_CHANNELS = 1_024
"""As many as libsndfile reads. More channels than that is an array the wrong way round."""

LOUDEST = 2.0**31
"""Integer samples taken for floats are this large at most; their squares are still finite."""

SILENCE = 1e-6
"""-120 dB of full scale: a peak below it is silence."""

_MUTED = 1e-4
"""-80 dB: an output this far below its input has lost the speech, not the noise."""

_HEARABLE_SECONDS = 0.5
"""A shorter sound may well be all noise, and rightly come out as silence."""

_BLOCK = 1 << 18
"""Samples looked at together, over all channels: 1 MiB."""


class UnfitSoundError(EngineError):
    """The sound is such that no engine can enhance it; it is best left as it is."""

    fault_class = FaultClass.DATA


class SilencedError(EngineError):
    """The engine took everything for noise. A gentler one may do better."""

    fault_class = FaultClass.QUALITY


def blocks_of(samples: Samples) -> Iterator[slice]:
    """Slices that together cover all frames, each small enough to be copied without a thought."""
    frames, channels = samples.shape
    step = max(1, _BLOCK // channels)
    for start in range(0, frames, step):
        yield slice(start, min(start + step, frames))


def peaks_of(samples: Samples, rate: int) -> NDArray[np.float32]:
    """The largest magnitude in each channel of a sound that is fit for an engine.

    Raises TypeError for what is not float32 of shape (frames, channels), and UnfitSoundError for
    what cannot be enhanced: no samples, NaN or infinity, absurd amplitudes, a rate that is out of
    range.
    """
    if not isinstance(samples, np.ndarray) or samples.dtype != np.float32 or samples.ndim != 2:
        raise TypeError("samples must be a float32 array of shape (frames, channels)")
    frames, channels = samples.shape
    if channels > MOST_CHANNELS:
        raise TypeError(f"{channels} channels of {frames} frames: is the array transposed?")
    if not samples.size:
        raise UnfitSoundError("the sound has no samples")
    if rate < LOWEST_RATE:
        raise UnfitSoundError(
            f"at {rate} Hz there is no speech band to enhance; {LOWEST_RATE} Hz is the least",
            rate=rate,
        )
    if rate > HIGHEST_RATE:
        raise UnfitSoundError(f"no recording has {rate} samples a second", rate=rate)
    peaks = np.zeros(channels, np.float32)
    for block in blocks_of(samples):
        np.maximum(peaks, np.abs(samples[block]).max(axis=0), out=peaks)  # keeps a NaN
    if not np.isfinite(peaks).all():
        raise UnfitSoundError("the sound holds samples that are not finite numbers")
    if peaks.max() > LOUDEST:
        raise UnfitSoundError(f"a peak of {peaks.max():.3g} is no sound", peak=float(peaks.max()))
    return peaks


def check_out(out: Samples, samples: Samples) -> None:
    """Raise ValueError unless the result for ``samples`` can be written into ``out``."""
    if out.shape != samples.shape or out.dtype != np.float32:
        raise ValueError(f"out must be float32 of shape {samples.shape}")
    if np.may_share_memory(out, samples):
        raise ValueError("out must not be the input: channels are compared after some are written")


def check_finite(block: Mono, engine: str) -> Mono:
    """``block``, unless the engine gave something that is not a finite number."""
    if not np.isfinite(block).all():
        raise EngineError(f"{engine} returned samples that are not finite numbers", engine=engine)
    return block


def check_heard(peak_in: float, peak_out: float, seconds: float, engine: str) -> None:
    """Raise SilencedError if an engine silenced the whole of a sound that was not silent."""
    if seconds >= _HEARABLE_SECONDS and peak_in > SILENCE and peak_out < peak_in * _MUTED:
        raise SilencedError(f"{engine} found no speech and returned silence", engine=engine)
