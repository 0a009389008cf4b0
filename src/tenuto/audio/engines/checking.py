"""What is checked before a sound reaches native code, and after it comes back.

One NaN turns the rest of a file into NaN in every recurrent model, a transposed array hangs or
garbles, and a native library does not raise: so nothing unchecked is handed to one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenuto.audio.sound import Samples
from tenuto.audio.survey import Survey
from tenuto.errors import EngineError, FaultClass

__all__ = [
    "HIGHEST_RATE",
    "LOUDEST",
    "LOWEST_RATE",
    "SILENCE",
    "SilencedError",
    "UnfitSoundError",
    "check_array",
    "check_finite",
    "check_fit",
    "check_heard",
    "check_out",
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


class UnfitSoundError(EngineError):
    """The sound is such that no engine can enhance it; it is best left as it is."""

    fault_class = FaultClass.DATA


class SilencedError(EngineError):
    """The engine took everything for noise. A gentler one may do better."""

    fault_class = FaultClass.QUALITY


def check_array(samples: Samples) -> None:
    """Raise TypeError for what is not a float32 array of shape (frames, channels)."""
    if not isinstance(samples, np.ndarray) or samples.dtype != np.float32 or samples.ndim != 2:
        raise TypeError("samples must be a float32 array of shape (frames, channels)")
    frames, channels = samples.shape
    if channels > MOST_CHANNELS:
        raise TypeError(f"{channels} channels of {frames} frames: is the array transposed?")


def check_fit(survey: Survey) -> None:
    """Raise UnfitSoundError for a sound that cannot be enhanced.

    It has no samples, NaN or infinity, absurd amplitudes, or a rate that is out of range.
    """
    rate = survey.rate
    if not survey.frames or not survey.channels:
        raise UnfitSoundError("the sound has no samples")
    if rate < LOWEST_RATE:
        raise UnfitSoundError(
            f"at {rate} Hz there is no speech band to enhance; {LOWEST_RATE} Hz is the least",
            rate=rate,
        )
    if rate > HIGHEST_RATE:
        raise UnfitSoundError(f"no recording has {rate} samples a second", rate=rate)
    if not survey.finite:
        raise UnfitSoundError("the sound holds samples that are not finite numbers")
    peak = float(survey.peaks.max())
    if peak > LOUDEST:
        raise UnfitSoundError(f"a peak of {peak:.3g} is no sound", peak=peak)


def check_out(out: Samples, samples: Samples) -> None:
    """Raise ValueError unless the result for ``samples`` can be written into ``out``."""
    if out.shape != samples.shape or out.dtype != np.float32:
        raise ValueError(f"out must be float32 of shape {samples.shape}")
    if np.may_share_memory(out, samples):
        raise ValueError("out must not be the input, which is still read after some is written")


def check_finite(block: NDArray[np.float32], engine: str) -> NDArray[np.float32]:
    """``block``, unless the engine gave something that is not a finite number."""
    if not np.isfinite(block).all():
        raise EngineError(f"{engine} returned samples that are not finite numbers", engine=engine)
    return block


def check_heard(peak_in: float, peak_out: float, seconds: float, engine: str) -> None:
    """Raise SilencedError if an engine silenced the whole of a sound that was not silent."""
    if seconds >= _HEARABLE_SECONDS and peak_in > SILENCE and peak_out < peak_in * _MUTED:
        raise SilencedError(f"{engine} found no speech and returned silence", engine=engine)
