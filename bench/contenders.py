"""Ways to enhance speech, good and bad, for the quality gate to tell apart.

Each is a function from noisy to enhanced speech: float32, one channel, 16 kHz, same length, in
time with its input.

The project's own engines come first. Then the ways in which an engine goes wrong: settings that
take the speech with the noise, a muffling filter, an engine run over its own output. Last, three
packages from PyPI that do harm in many cases. Those have to be installed first:

    pip install --target SITE --no-deps webrtc-noise-gain logmmse noisereduce joblib cloudpickle
    PYTHONPATH=SITE python -m bench.quality …
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, istft, sosfiltfilt, stft

from tenuto.audio.engines.base import Engine
from tenuto.audio.engines.deepfilternet import DeepFilterNet
from tenuto.audio.engines.dtln import Dtln
from tenuto.audio.engines.rnnoise import RNNoise
from tenuto.audio.engines.wiener import Wiener

RATE = 16_000
Mono = NDArray[np.float32]
Enhance = Callable[[Mono], Mono]

_FRAME, _OVERLAP = 512, 384


def engine(kind: type[Engine], *, passes: int = 1) -> Enhance:
    """An engine of the project, run ``passes`` times over its own output."""
    made = kind()

    def enhance(noisy: Mono) -> Mono:
        for _ in range(passes):
            noisy = made.enhance(noisy[:, None], RATE)[:, 0]
        return noisy

    return enhance


def subtraction(over: float, floor: float) -> Enhance:
    """Power subtraction of ``over`` times the quietest fifth of each bin, down to ``floor``."""

    def enhance(noisy: Mono) -> Mono:
        spectrum = stft(noisy, RATE, nperseg=_FRAME, noverlap=_OVERLAP)[2]
        power = np.abs(spectrum) ** 2
        noise = over * np.percentile(power, 20, axis=1, keepdims=True)
        gain = np.sqrt(np.maximum(1 - noise / np.maximum(power, 1e-12), floor**2))
        return _fitted(istft(spectrum * gain, RATE, nperseg=_FRAME, noverlap=_OVERLAP)[1], noisy)

    return enhance


def noise_gate(below: float) -> Enhance:
    """An expander that closes ``below`` dB under the loud passages, and cuts soft speech."""

    def enhance(noisy: Mono) -> Mono:
        level = np.sqrt(np.convolve(noisy.astype(float) ** 2, np.full(480, 1 / 480), "same"))
        opening = level / (np.percentile(level, 95) * 10 ** (-below / 20) + 1e-12)
        gain = np.convolve(np.clip(opening**2, 0.02, 1), np.full(160, 1 / 160), "same")
        return (noisy * gain).astype(np.float32)

    return enhance


def muffling(cutoff: float) -> Enhance:
    """A low-pass filter at ``cutoff`` Hz."""
    sections = butter(6, cutoff, fs=RATE, output="sos")
    return lambda noisy: sosfiltfilt(sections, noisy).astype(np.float32)


def webrtc() -> Enhance:
    from webrtc_noise_gain import AudioProcessor

    delay, block = 96, RATE // 100

    def enhance(noisy: Mono) -> Mono:
        processor = AudioProcessor(0, 4)
        frames = -(-(len(noisy) + delay) // block)
        padded = np.pad(noisy, (0, frames * block - len(noisy)))
        blocks = (np.clip(padded, -1, 1) * 32_767).astype(np.int16).reshape(-1, block)
        audio = b"".join(processor.Process10ms(part.tobytes()).audio for part in blocks)
        return _fitted(np.frombuffer(audio, np.int16)[delay:] / 32_768, noisy)

    return enhance


def logmmse() -> Enhance:
    from logmmse import logmmse as package

    return lambda noisy: _fitted(package(np.array(noisy), RATE), noisy)


def noisereduce(*, stationary: bool) -> Enhance:
    from noisereduce import reduce_noise

    return lambda noisy: _fitted(
        reduce_noise(y=noisy, sr=RATE, stationary=stationary, n_jobs=1), noisy
    )


def _fitted(samples: NDArray[np.floating], like: Mono) -> Mono:
    missing = max(0, len(like) - len(samples))
    return np.pad(samples, (0, missing))[: len(like)].astype(np.float32)


TUNE: dict[str, Callable[[], Enhance]] = {
    "deepfilternet": lambda: engine(DeepFilterNet),
    "rnnoise": lambda: engine(RNNoise),
    "wiener": lambda: engine(Wiener),
    "rnnoise twice": lambda: engine(RNNoise, passes=2),
    "harsh subtraction": lambda: subtraction(over=10, floor=0.01),
    "muffled": lambda: muffling(2_500),
    "webrtc": webrtc,
    "noisereduce, stationary": lambda: noisereduce(stationary=True),
}
"""What the gate's formula is fitted to."""

HELD_OUT: dict[str, Callable[[], Enhance]] = {
    "deepfilternet": TUNE["deepfilternet"],
    "dtln": lambda: engine(Dtln),
    "rnnoise": TUNE["rnnoise"],
    "wiener": TUNE["wiener"],
    "deepfilternet twice": lambda: engine(DeepFilterNet, passes=2),
    "subtraction": lambda: subtraction(over=3, floor=0.1),
    "noise gate": lambda: noise_gate(20),
    "webrtc": webrtc,
    "logmmse": logmmse,
    "noisereduce": lambda: noisereduce(stationary=False),
}
"""What it is tested on: the engines, and six that it has not heard but for webrtc."""
