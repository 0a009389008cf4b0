"""What must hold of every output, whatever it sounds like."""

from __future__ import annotations

import numpy as np

from tenuto.audio.survey import Survey

__all__ = ["broken_law"]

_MORE_CLIPPED = 1e-3  # share of all samples
_LOUDER = 6.0  # dB
_SILENT = 60.0  # dB below the input
_INAUDIBLE = 1e-4  # -80 dBFS
_DEAD = 5  # seconds of exactly nothing, where the input has sound


def broken_law(before: Survey, after: Survey) -> str | None:
    """The first law that ``after`` breaks as an enhancement of ``before``, as a sentence, or None.

    The laws: the same shape; finite; not silent where the input was not, neither as a whole (60 dB
    down) nor in a channel (exact zeros, throughout or for 5 s on end); at most 0.1 % more samples
    at a ceiling; at most 6 dB louder.
    """
    if after.shape != before.shape:
        return f"the output has the shape {after.shape}, the input {before.shape}"
    if not after.finite:
        return "the output has samples that are not numbers"
    if before.level <= _INAUDIBLE:
        return "the output has sound where the input is silent" if _louder(before, after) else None
    change = 20 * np.log10(max(after.level, 1e-10) / before.level)
    if change < -_SILENT:
        return "the output is silent, the input is not"
    if after.clipped > before.clipped + _MORE_CLIPPED:
        return f"{after.clipped:.1%} of the output is clipped, {before.clipped:.1%} of the input"
    if change > _LOUDER:
        return f"the output is {change:.0f} dB louder than the input"
    return _dead_channel(before, after) or _dead_stretch(before, after)


def _louder(before: Survey, after: Survey) -> bool:
    return after.level > max(_INAUDIBLE, before.level * 10 ** (_LOUDER / 20))


def _dead_channel(before: Survey, after: Survey) -> str | None:
    # What is merely faint may be a rightful end: of hum, some engines leave less than -100 dB.
    dead = (after.peaks == 0) & (before.peaks > _INAUDIBLE)
    if not dead.any():
        return None
    return f"channel {dead.argmax() + 1} of the output is silent, that of the input is not"


def _dead_stretch(before: Survey, after: Survey) -> str | None:
    dead = (after.crests == 0) & (before.crests > _INAUDIBLE)
    if not dead.any():
        return None
    run = np.zeros(after.channels, int)
    for second, now in enumerate(dead):
        run = (run + 1) * now
        ended = run >= _DEAD
        if ended.any():
            at = f"falls silent at {second + 1 - run.max()} s"
            if ended.all():
                return f"the output {at}, the input does not"
            return f"channel {ended.argmax() + 1} of the output {at}, that of the input does not"
    return None
