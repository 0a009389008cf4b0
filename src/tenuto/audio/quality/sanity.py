"""What must hold of every output, whatever it sounds like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tenuto.audio.sound import Samples

__all__ = ["broken_law"]

_BLOCK = 1 << 20  # frames: a long recording is on disk, and is never looked at in one piece
_FULL_SCALE = 0.999
_MORE_CLIPPED = 1e-3  # share of all samples
_LOUDER = 6.0  # dB
_SILENT = 60.0  # dB below the input
_INAUDIBLE = 1e-4  # -80 dBFS
_DEAD = 5.0  # seconds of exactly nothing, where the input has sound


def broken_law(before: Samples, after: Samples, rate: int) -> str | None:
    """The first law that ``after`` breaks as an enhancement of ``before``, as a sentence, or None.

    Both have the shape (frames, channels). The laws: the same shape; finite; not silent where the
    input was not, neither as a whole (60 dB down) nor for 5 s on end (exact zeros); at most 0.1 %
    more samples at full scale; at most 6 dB louder.
    """
    if after.shape != before.shape:
        return f"the output has the shape {after.shape}, the input {before.shape}"
    if not all(np.isfinite(block).all() for block in _blocks(after)):
        return "the output has samples that are not numbers"
    source, result = _survey(before), _survey(after)
    if source.level <= _INAUDIBLE:
        return "the output has sound where the input is silent" if _louder(source, result) else None
    change = 20 * np.log10(max(result.level, 1e-10) / source.level)
    if change < -_SILENT:
        return "the output is silent, the input is not"
    if result.clipped > source.clipped + _MORE_CLIPPED:
        return f"{result.clipped:.1%} of the output is clipped, {source.clipped:.1%} of the input"
    if change > _LOUDER:
        return f"the output is {change:.0f} dB louder than the input"
    return _dead_stretch(before, after, rate)


@dataclass(frozen=True, slots=True)
class _Survey:
    level: float
    """Root mean square."""
    clipped: float
    """Share of the samples at full scale."""


def _survey(samples: Samples) -> _Survey:
    power = clipped = 0.0
    for block in _blocks(samples):
        power += float(np.sum(np.square(block, dtype=np.float64)))
        clipped += float(np.count_nonzero(np.abs(block) >= _FULL_SCALE))
    size = max(1, samples.size)
    return _Survey(level=(power / size) ** 0.5, clipped=clipped / size)


def _louder(source: _Survey, result: _Survey) -> bool:
    return result.level > max(_INAUDIBLE, source.level * 10 ** (_LOUDER / 20))


def _dead_stretch(before: Samples, after: Samples, rate: int) -> str | None:
    second, run = max(1, rate), 0
    for start in range(0, len(after), second):
        part = slice(start, start + second)
        dead = not after[part].any() and float(np.abs(before[part]).max()) > _INAUDIBLE
        run = run + 1 if dead else 0
        if run >= _DEAD:
            silent_from = start // second + 1 - run
            return f"the output falls silent at {silent_from} s, the input does not"
    return None


def _blocks(samples: Samples) -> Iterator[Samples]:
    return (samples[start : start + _BLOCK] for start in range(0, len(samples), _BLOCK))
