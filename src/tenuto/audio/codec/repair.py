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

from .filling import Predicate, filled

__all__ = [
    "HEADROOM",
    "MAX_REPAIRED_SHARE",
    "NOTHING_WRONG",
    "Repair",
    "diagnose",
    "is_suspect",
]

MAX_REPAIRED_SHARE = 0.01
"""Of the samples of any one channel. A file with more that are not numbers is refused."""

HEADROOM = 64.0
"""36 dB above full scale. Louder than this is no hot recording: the scale is another one."""

_SCALES = {2.0**15: "16-bit", 2.0**23: "24-bit", 2.0**31: "32-bit"}
_LARGEST = 2.0**31


def is_suspect(block: Samples) -> bool:
    """Whether ``block`` holds anything to repair. One cheap pass."""
    if block.size == 0:
        return False
    # Written so that NaN, which compares as false with everything, is suspect.
    return not (block.max() <= HEADROOM and block.min() >= -HEADROOM)


def _is_broken(block: Samples) -> NDArray[np.bool_]:
    return ~(np.abs(block) <= _LARGEST)


def _is_loud(block: Samples) -> NDArray[np.bool_]:
    return np.abs(block) > HEADROOM


@dataclass(frozen=True, slots=True)
class Repair:
    """What is to be done to a sound, a block at a time, each time that it is decoded."""

    replaced: tuple[Predicate, ...] = ()
    """Which samples are replaced by the line between their neighbours, one kind after the other."""
    full_scale: float = 1.0
    """The value in the file that is 1.0 in memory."""
    sentences: tuple[str, ...] = ()
    """What was wrong, and what is done."""

    def applied(self, blocks: Iterator[Samples]) -> Iterator[Samples]:
        """The sound, finite and nominally within ±1."""
        for wrong in self.replaced:
            blocks = filled(blocks, wrong)
        if self.full_scale == 1.0:
            return blocks
        return (block / np.float32(self.full_scale) for block in blocks)


NOTHING_WRONG = Repair()


def diagnose(play: Callable[[], Iterator[Samples]]) -> Repair:
    """What a sound needs that ``is_suspect``; ``play`` gives its blocks from the beginning.

    - Samples that are not numbers, or beyond what any integer scale reaches, are replaced by the
      line between their neighbours.
    - So are the few samples beyond ``HEADROOM`` of a sound that is otherwise on the usual scale.
    - A sound that is on the scale of integers is divided by that scale, a power of two. Nothing is
      lost, and the encoder multiplies by it again.

    Raises ``DecodeError`` where more than ``MAX_REPAIRED_SHARE`` of a channel is not numbers.
    """
    broken = _Count.of(play(), _is_broken)
    if broken.worst > MAX_REPAIRED_SHARE * broken.frames:
        raise DecodeError(
            f"is damaged: {broken.found / broken.size:.1%} of its samples are not numbers, and at "
            f"most {MAX_REPAIRED_SHARE:.0%} of a channel can be repaired; make the file again"
        )
    replaced, sentences = [], []
    if broken.found:
        replaced.append(_is_broken)
        sentences.append(_sentence(broken, "that were not numbers"))
    whole = Repair(tuple(replaced))
    loud = _Count.of(whole.applied(play()), _is_loud)
    full_scale = 1.0
    if loud.found and _are_damage(loud):
        replaced.append(_is_loud)
        sentences.append(_sentence(loud, "that were far beyond full scale"))
    elif loud.found:
        full_scale = next(scale for scale in _SCALES if loud.peak <= scale)
        sentences.append(
            f"its samples are on the scale of {_SCALES[full_scale]} integers (the peak is "
            f"{loud.peak:,.0f}): {full_scale:,.0f} was taken as full scale"
        )
    return Repair(tuple(replaced), full_scale, tuple(sentences))


@dataclass(slots=True)
class _Count:
    """How many samples of a sound are of some kind."""

    frames: int = 0
    size: int = 0
    found: int = 0
    worst: int = 0
    """The most in one channel."""
    between: int = 0
    """Samples where integers never are: between 0 and 1."""
    peak: float = 0.0

    @classmethod
    def of(cls, blocks: Iterator[Samples], kind: Predicate) -> _Count:
        count, by_channel = cls(), np.zeros(1, np.int64)
        for block in blocks:
            magnitude = np.abs(block)
            by_channel = by_channel + np.count_nonzero(kind(block), axis=0)
            count.frames += len(block)
            count.size += block.size
            count.between += int(np.count_nonzero((magnitude > 0) & (magnitude < 1)))
            count.peak = max(count.peak, float(magnitude.max(initial=0)))
        count.found, count.worst = int(by_channel.sum()), int(by_channel.max())
        return count


def _are_damage(loud: _Count) -> bool:
    """Whether the ``loud`` samples are garbage in a sound on the usual scale: if they are few."""
    return loud.found <= MAX_REPAIRED_SHARE * loud.size and loud.between > loud.found


def _sentence(wrong: _Count, what: str) -> str:
    noun = "sample" if wrong.found == 1 else "samples"
    what = what.replace("were", "was") if wrong.found == 1 else what
    what = what.replace("numbers", "a number") if wrong.found == 1 else what
    share = wrong.found / wrong.size
    return (
        f"replaced {wrong.found:,} {noun} {what} ({share:.2g} of all) by a line between neighbours"
    )
