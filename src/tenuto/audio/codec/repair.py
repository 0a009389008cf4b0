"""Samples that are no sound: not numbers, far too large, or on the scale of integers.

Only float formats can hold them, and they spoil more than themselves: one NaN makes most neural
engines return NaN to the end of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenuto.audio.sound import Samples
from tenuto.errors import DecodeError

__all__ = ["HEADROOM", "MAX_REPAIRED_SHARE", "Repaired", "is_suspect", "repair"]

MAX_REPAIRED_SHARE = 0.01
"""Of the samples of any one channel. A file with more that are not numbers is refused."""

HEADROOM = 64.0
"""36 dB above full scale. Louder than this is no hot recording: the scale is another one."""

_SCALES = {2.0**15: "16-bit", 2.0**23: "24-bit", 2.0**31: "32-bit"}
_LARGEST = 2.0**31
_BLOCK = 1 << 20

_Predicate = Callable[[NDArray[np.float32]], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was done to the samples: ``full_scale`` is the value in the file of 1.0 in memory."""

    full_scale: float
    sentences: tuple[str, ...]


def is_suspect(block: Samples) -> bool:
    """Whether ``block`` holds anything for ``repair`` to look at. One cheap pass."""
    if block.size == 0:
        return False
    # Written so that NaN, which compares as false with everything, is suspect.
    return not (block.max() <= HEADROOM and block.min() >= -HEADROOM)


def repair(samples: Samples) -> Repaired:
    """Make ``samples`` finite and nominally within ±1, in place.

    - Samples that are not numbers, or beyond what any integer scale reaches, are replaced by the
      line between their neighbours.
    - So are the few samples beyond ``HEADROOM`` of a sound that is otherwise on the usual scale.
    - A sound that is on the scale of integers is divided by that scale, a power of two. Nothing is
      lost, and the encoder multiplies by it again.

    Raises ``DecodeError`` where more than ``MAX_REPAIRED_SHARE`` of a channel is not numbers.
    """
    sentences = []
    broken = _positions(samples, _is_broken)
    _refuse_if_too_many(samples, broken)
    if broken.size:
        _interpolate(samples, broken)
        sentences.append(_sentence(samples, broken, "that were not numbers"))
    full_scale = 1.0
    loud = _positions(samples, _is_loud)
    if loud.size and _are_damage(samples, loud):
        _interpolate(samples, loud)
        sentences.append(_sentence(samples, loud, "that were far beyond full scale"))
    elif loud.size:
        full_scale, sentence = _scale_down(samples)
        sentences.append(sentence)
    return Repaired(full_scale, tuple(sentences))


def _scale_down(samples: Samples) -> tuple[float, str]:
    peak = max(float(np.abs(block).max()) for block in _blocks(samples))
    full_scale = next(scale for scale in _SCALES if peak <= scale)
    for block in _blocks(samples):
        np.divide(block, np.float32(full_scale), out=block)
    return full_scale, (
        f"its samples are on the scale of {_SCALES[full_scale]} integers (the peak is "
        f"{peak:,.0f}): {full_scale:,.0f} was taken as full scale"
    )


def _is_broken(block: NDArray[np.float32]) -> NDArray[np.bool_]:
    return ~(np.abs(block) <= _LARGEST)


def _is_loud(block: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.abs(block) > HEADROOM


def _blocks(samples: Samples) -> Iterator[NDArray[np.float32]]:
    flat = samples.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        yield flat[start : start + _BLOCK]


def _positions(samples: Samples, predicate: _Predicate) -> NDArray[np.int64]:
    """Indices into the flattened samples, a little over the permitted share of them at most."""
    enough = MAX_REPAIRED_SHARE * samples.size
    found: list[NDArray[np.int64]] = []
    count = 0
    for number, block in enumerate(_blocks(samples)):
        here = np.flatnonzero(predicate(block)) + number * _BLOCK
        found.append(here.astype(np.int64))
        count += here.size
        if count > enough:
            break
    return np.concatenate(found)


def _refuse_if_too_many(samples: Samples, broken: NDArray[np.int64]) -> None:
    frames, channels = samples.shape
    if not broken.size:
        return
    allowed = MAX_REPAIRED_SHARE * frames
    if np.bincount(broken % channels).max() <= allowed and broken.size <= allowed * channels:
        return
    count = sum(int(np.count_nonzero(_is_broken(block))) for block in _blocks(samples))
    raise DecodeError(
        f"is damaged: {count / samples.size:.1%} of its samples are not numbers, and at most "
        f"{MAX_REPAIRED_SHARE:.0%} of a channel can be repaired; make the file again"
    )


def _are_damage(samples: Samples, loud: NDArray[np.int64]) -> bool:
    """Whether the ``loud`` samples are garbage in a sound on the usual scale.

    They are if they are few, and more samples are where integers never are, between 0 and 1.
    """
    if loud.size > MAX_REPAIRED_SHARE * samples.size:
        return False
    between = sum(
        int(np.count_nonzero((block != 0) & (np.abs(block) < 1))) for block in _blocks(samples)
    )
    return between > loud.size


def _interpolate(samples: Samples, positions: NDArray[np.int64]) -> None:
    frames, channels = samples.shape
    for channel in np.unique(positions % channels):
        wrong = positions[positions % channels == channel] // channels
        starts = np.concatenate(([True], np.diff(wrong) > 1))
        run = np.cumsum(starts) - 1
        left = (wrong[starts] - 1)[run]
        right = (wrong[np.concatenate((starts[1:], [True]))] + 1)[run]
        # A run at an end of the sound has one neighbour only, and takes its value.
        left, right = np.where(left < 0, right, left), np.where(right >= frames, left, right)
        before = samples[left, channel]
        after = samples[right, channel]
        share = (wrong - left) / np.maximum(right - left, 1)
        samples[wrong, channel] = before + (after - before) * share


def _sentence(samples: Samples, positions: NDArray[np.int64], what: str) -> str:
    count = positions.size
    noun = "sample" if count == 1 else "samples"
    what = what.replace("were", "was") if count == 1 else what
    what = what.replace("numbers", "a number") if count == 1 else what
    share = count / samples.size
    return f"replaced {count:,} {noun} {what} ({share:.2g} of all) by a line between neighbours"
