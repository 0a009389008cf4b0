"""The way every built-in engine goes through a recording: channel by channel, in blocks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain, tee
from typing import ClassVar

import numpy as np

from tenuto.audio.resample import Mono, resampled
from tenuto.audio.sound import Samples

from .base import Engine
from .blocks import framed, read, silence, skipped, split
from .checking import SILENCE, blocks_of, check_finite, check_heard, check_out, peaks_of
from .storage import allocate
from .upper_band import UpperBand

__all__ = ["Stream", "StreamingEngine"]

_COMFORTABLE = (0.1, 1.0)
"""Where a channel's peak should lie when a model sees it: that is what models were trained on."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A fresh state of an engine, for one channel."""

    process: Callable[[Mono], Mono]
    """From any number of whole hops to as many frames."""
    hop: int
    """In frames."""
    delay: int
    """How many frames the output lags behind the input."""


class StreamingEngine(Engine):
    """An engine that takes one channel in hops of a fixed length.

    A subclass opens a stream; checks, channels, rates, levels, delay and memory are seen to here.
    """

    warm_up: ClassVar[float] = 0.0
    """Seconds of the beginning that are fed once more beforehand, to settle a recurrent state."""

    @abstractmethod
    def open_stream(self, rate: int) -> AbstractContextManager[Stream]:
        """A state of its own for a channel at ``rate`` Hz, which is the native rate if any."""

    def enhance(self, samples: Samples, rate: int, *, out: Samples | None = None) -> Samples:
        peaks = peaks_of(samples, rate)
        if out is None:
            out = allocate(*samples.shape)
        else:
            check_out(out, samples)
        self.load()
        loudest = 0.0
        for channel, peak in enumerate(peaks):
            twin = _twin(samples, peaks, channel)
            if twin is not None:
                out[:, channel] = out[:, twin]
            elif peak <= SILENCE:
                out[:, channel] = samples[:, channel]
            else:
                heard = self._enhance_channel(
                    samples[:, channel], rate, float(peak), out[:, channel]
                )
                loudest = max(loudest, heard)
        check_heard(float(peaks.max()), loudest, len(samples) / rate, self.name)
        return out

    def _enhance_channel(self, channel: Mono, rate: int, peak: float, out: Mono) -> float:
        """Write the enhanced channel into ``out``, and return its peak."""
        scale = float(np.clip(peak, *_COMFORTABLE)) / peak
        # A little silence at the end, so that rounding at a change of rate never leaves a gap.
        padded = chain(read(channel, rate, scale), (silence(rate // 50),))
        with self.open_stream(self.native_rate or rate) as stream:
            return self._write(self._through(stream, padded, rate), out, 1 / scale)

    def _through(self, stream: Stream, blocks: Iterable[Mono], rate: int) -> Iterator[Mono]:
        native = self.native_rate or rate
        if native >= rate:
            cleaned = self._cleaned(stream, resampled(blocks, rate, native), native)
            return resampled(cleaned, native, rate)
        blocks, original = tee(blocks)
        lower, reference = tee(resampled(blocks, rate, native))
        return UpperBand(rate, native).restored(
            original,
            resampled(reference, native, rate),
            resampled(self._cleaned(stream, lower, native), native, rate),
        )

    def _cleaned(self, stream: Stream, blocks: Iterable[Mono], rate: int) -> Iterator[Mono]:
        head, rest = split(blocks, round(self.warm_up * rate))
        fed = chain((head, head), rest, (silence(stream.delay),))
        processed = map(stream.process, framed(fed, stream.hop))
        return skipped(processed, len(head) + stream.delay)

    def _write(self, blocks: Iterable[Mono], out: Mono, scale: float) -> float:
        position, peak = 0, 0.0
        for block in blocks:
            kept = check_finite(block[: len(out) - position], self.name)
            if len(kept):
                np.multiply(kept, np.float32(scale), out=out[position : position + len(kept)])
                peak = max(peak, float(np.abs(kept).max()))
                position += len(kept)
        assert position == len(out), "a stream must return as many frames as it is given"
        return peak * scale


def _twin(samples: Samples, peaks: Iterable[float], channel: int) -> int | None:
    """An earlier channel that is the same, sample for sample."""
    heights = list(peaks)
    candidates = (other for other in range(channel) if heights[other] == heights[channel])
    return next((other for other in candidates if _equal(samples, other, channel)), None)


def _equal(samples: Samples, one: int, other: int) -> bool:
    return all(
        np.array_equal(samples[block, one], samples[block, other]) for block in blocks_of(samples)
    )
