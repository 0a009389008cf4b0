"""Synthetic noises, each a function ``(random, frames, rate) -> float64 array of unit power``.

Used for the sample recordings and for the corpora of the benchmarks. They imitate what spoils real
recordings: a ventilator, a typist, the mains, other people talking.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]
Noise = Callable[[np.random.Generator, int, int], Samples]


def shaped(
    random: np.random.Generator, frames: int, rate: int, slope: float, knee: float
) -> Samples:
    """Gaussian noise whose power falls as 1/f^slope above ``knee`` Hz and is flat below it."""
    spectrum = np.fft.rfft(random.standard_normal(frames))
    frequency = np.fft.rfftfreq(frames, 1 / rate)
    return unit(np.fft.irfft(spectrum * np.maximum(frequency, knee) ** (-slope / 2), frames))


def unit(samples: Samples) -> Samples:
    """``samples`` scaled to unit power."""
    return samples / np.sqrt(np.mean(samples**2))


def pink(random: np.random.Generator, frames: int, rate: int) -> Samples:
    """Equal power in every octave above 30 Hz."""
    return shaped(random, frames, rate, slope=1, knee=30)


def white(random: np.random.Generator, frames: int, rate: int) -> Samples:
    """Equal power at every frequency."""
    return shaped(random, frames, rate, slope=0, knee=1)


def traffic(random: np.random.Generator, frames: int, rate: int) -> Samples:
    """A low rumble that swells and ebbs over seconds."""
    swell = shaped(random, frames, rate, slope=4, knee=0.3)
    return unit(shaped(random, frames, rate, slope=2, knee=60) * (1.5 + np.tanh(swell)))


def hum_and_clicks(random: np.random.Generator, frames: int, rate: int) -> Samples:
    """50 Hz mains hum with harmonics, a little hiss, and six crackles a second."""
    phase = 2 * np.pi * 50 * np.arange(frames) / rate
    sound = 0.3 * random.standard_normal(frames)
    for harmonic, level in enumerate((1.0, 0.5, 0.7, 0.2, 0.4, 0.1, 0.25), start=1):
        sound += level * np.sin(harmonic * phase + random.uniform(0, 2 * np.pi))
    return unit(sound + 5 * _bursts(random, frames, rate, per_second=6, decay=0.001))


def fan(random: np.random.Generator, frames: int, rate: int) -> Samples:
    """Rushing air, throbbing a little with the blades, over two thin motor tones."""
    phase = 2 * np.pi * np.arange(frames) / rate
    air = shaped(random, frames, rate, slope=1.5, knee=200) * (1 + 0.25 * np.sin(23 * phase))
    return unit(air + 0.25 * np.sin(117 * phase) + 0.12 * np.sin(351 * phase))


def keyboard(random: np.random.Generator, frames: int, rate: int) -> Samples:
    """Fast typing in a quiet room: two-part clatter of each key, over faint hiss."""
    down = _bursts(random, frames, rate, per_second=7, decay=0.006)
    delay = int(0.08 * rate)
    up = 0.5 * np.concatenate([np.zeros(delay), down])[:frames]
    return unit(down + up + 0.01 * random.standard_normal(frames))


def babble(talkers: Sequence[Samples], count: int = 6) -> Noise:
    """A noise made of ``count`` overlapping voices, drawn from ``talkers`` (all at one rate)."""

    def noise(random: np.random.Generator, frames: int, rate: int) -> Samples:
        del rate
        sound = np.zeros(frames)
        for talker in random.permutation(len(talkers))[:count]:
            voice = np.resize(unit(talkers[talker]), frames)
            sound += np.roll(voice, random.integers(frames))
        return unit(sound)

    return noise


def _bursts(
    random: np.random.Generator, frames: int, rate: int, *, per_second: float, decay: float
) -> Samples:
    """Bursts of hiss at random moments and levels, dying off over ``decay`` seconds."""
    length = min(frames, int(8 * decay * rate))
    envelope = np.exp(-np.arange(length) / (decay * rate))
    sound = np.zeros(frames)
    for start in random.integers(0, frames - length + 1, max(1, int(per_second * frames / rate))):
        hiss = random.standard_normal(length) * envelope
        sound[start : start + length] += random.uniform(0.4, 1.2) * hiss
    return sound


STEADY: dict[str, Noise] = {
    "pink": pink,
    "white": white,
    "traffic": traffic,
    "hum": hum_and_clicks,
    "fan": fan,
    "keyboard": keyboard,
}
"""The noises that need no recordings, by name."""


def mix(
    clean: Samples, noise: Samples, snr: float, *, rate: int, peak: float = 0.98
) -> tuple[Samples, Samples]:
    """``clean`` with ``noise`` (unit power) at ``snr`` dB, and ``clean`` at the level it has there.

    The signal's power is that of the active 20 ms frames: those within 40 dB of the loudest. Where
    the mixture would pass ``peak``, both are turned down.
    """
    noisy = clean + noise * active_level(clean, rate) * 10 ** (-snr / 20)
    gain = min(1.0, peak / float(np.max(np.abs(noisy))))
    return noisy * gain, clean * gain


def active_level(samples: Samples, rate: int) -> float:
    """Root mean square of the frames of 20 ms within 40 dB of the loudest one."""
    frame = rate // 50
    power = np.mean(samples[: len(samples) // frame * frame].reshape(-1, frame) ** 2, axis=1)
    return float(np.sqrt(np.mean(power[power >= power.max() * 1e-4])))
