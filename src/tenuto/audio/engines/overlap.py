"""Chunks of a sound that overlap, for an engine that wants each sound as a whole.

What an engine does at a moment depends on the seconds around it. So each chunk is heard together
with the two seconds before and after it, of which nothing is used but a cross-fade of 50 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from tenuto.audio.sound import Samples
from tenuto.errors import EngineError

from .checking import check_finite

__all__ = ["LEAST_SECONDS", "overlapped"]

LEAST_SECONDS = 4
"""Shorter chunks would be more overlap than chunk."""

_AROUND = 2  # seconds
_FADES_PER_SECOND = 20


def overlapped(
    chunks: Iterable[Samples], enhance: Callable[[Samples], Samples], rate: int, engine: str
) -> Iterator[Samples]:
    """What ``enhance`` makes of the chunks; a single chunk is enhanced as it is.

    Every chunk but the last is ``LEAST_SECONDS`` long or longer.
    """
    around, fade = _AROUND * rate, rate // _FADES_PER_SECOND
    rising = (np.arange(fade, dtype=np.float32)[:, None] + np.float32(0.5)) / np.float32(fade)
    waiting = iter(chunks)
    chunk = next(waiting)
    before, fading = chunk[:0], chunk[:0]
    while True:
        following = next(waiting, None)
        after = chunk[:0] if following is None else following[:around]
        heard = np.concatenate((before, chunk, after)) if len(before) + len(after) else chunk
        made = enhance(heard)
        if made.shape != heard.shape:
            raise EngineError(
                f"{engine} returned the shape {made.shape} for {heard.shape}", engine=engine
            )
        check_finite(made, engine)
        start, stop = len(before), len(before) + len(chunk)
        if len(fading):
            yield fading + (made[start - fade : start] - fading) * rising
        if following is None:
            yield made[start:stop]
            return
        yield made[start : stop - fade]
        before, fading = heard[:stop][-around:].copy(), made[stop - fade : stop].copy()
        del heard, made  # both are as large as a chunk, and only their ends are needed
        chunk = following
