"""The way every built-in engine goes through a recording: channel by channel, in blocks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from itertools import chain, tee
from typing import ClassVar

import numpy as np

from tenuto.audio.resample import Mono, resampled
from tenuto.audio.sound import Samples, blocks_of, chunked
from tenuto.audio.storage import allocate, gathered
from tenuto.audio.survey import Survey, survey_of

from .base import Engine
from .blocks import Line, framed, silence, skipped, split
from .checking import SILENCE, check_array, check_finite, check_fit, check_heard, check_out

__all__ = ["Stream", "StreamingEngine"]

_COMFORTABLE = (0.1, 1.0)
"""Where a channel's peak should lie when a model sees it: that is what models were trained on."""

_BYTES = 4
_ROOM = 8 * 2**20
"""Bytes for a chunk of all channels; some copies of it are on their way at any time."""

_LEAST_PER_SECOND = 16

_APPROACH = 0.1
"""Seconds between the warm-up and the beginning: longer than what any engine overlaps or delays."""


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
    """Seconds of the beginning that are fed once more beforehand, to settle a recurrent state.

    The first tenth of a second follows them backwards, so that they lead up to the beginning."""

    @abstractmethod
    def open_stream(self, rate: int) -> AbstractContextManager[Stream]:
        """A state of its own for a channel at ``rate`` Hz, which is the native rate if any."""

    def chunk_frames(self, rate: int, channels: int) -> tuple[int, int]:
        most = max(1, min(rate, _ROOM // (_BYTES * channels)))
        return max(1, min(rate // _LEAST_PER_SECOND, most)), most

    def enhance(self, samples: Samples, rate: int, *, out: Samples | None = None) -> Samples:
        check_array(samples)
        survey = survey_of(samples, rate)
        check_fit(survey)
        if out is None:
            out = allocate(*samples.shape)
        else:
            check_out(out, samples)
        _, size = self.chunk_frames(rate, survey.channels)
        return gathered(self.stream(chunked(blocks_of(samples), size), survey), out)

    def stream(self, chunks: Iterable[Samples], survey: Survey) -> Iterator[Samples]:
        """The enhanced sound while the sound goes by, the same however it is cut into chunks."""
        check_fit(survey)
        self.load()
        working = [c for c, twin in enumerate(survey.twins) if twin is None and _sounds(survey, c)]
        if not working:
            yield from chunks
            return
        # Each takes what it needs of the chunks in its turn, so that none falls behind.
        untouched, *copies = tee(chunks, 1 + len(working))
        with ExitStack() as states:
            lines = {
                channel: Line(self._enhanced(copy, channel, survey, states))
                for channel, copy in zip(working, copies, strict=True)
            }
            yield from self._woven(untouched, lines, survey)

    def _woven(
        self, untouched: Iterator[Samples], lines: Mapping[int, Line], survey: Survey
    ) -> Iterator[Samples]:
        """All channels together again: those that were worked on, their twins, the silent ones."""
        loudest = 0.0
        for chunk in untouched:
            out = chunk.copy()
            for channel, line in lines.items():
                ready = check_finite(line.take(len(chunk)), self.name)
                assert len(ready) == len(chunk), "a stream must return as many as it is given"
                scale = _scale(survey, channel)
                np.multiply(ready, np.float32(1 / scale), out=out[:, channel])
                loudest = max(loudest, float(np.abs(ready).max()) / scale)
            for channel, twin in enumerate(survey.twins):
                if twin is not None:
                    out[:, channel] = out[:, twin]
            yield out
        check_heard(float(survey.peaks.max()), loudest, survey.duration, self.name)

    def _enhanced(
        self, chunks: Iterator[Samples], channel: int, survey: Survey, states: ExitStack
    ) -> Iterator[Mono]:
        """One channel, as loud as it suits a model."""
        rate, scale = survey.rate, np.float32(_scale(survey, channel))
        blocks = (np.multiply(chunk[:, channel], scale) for chunk in chunks)
        # A little silence at the end, so that rounding at a change of rate never leaves a gap.
        padded = chain(blocks, (silence(rate // 50),))
        stream = states.enter_context(self.open_stream(self.native_rate or rate))
        return self._through(stream, padded, rate)

    def _through(self, stream: Stream, blocks: Iterable[Mono], rate: int) -> Iterator[Mono]:
        native = self.native_rate or rate
        if native >= rate:
            cleaned = self._cleaned(stream, resampled(blocks, rate, native), native)
            return resampled(cleaned, native, rate)
        blocks, original = tee(blocks)
        lower, reference = tee(resampled(blocks, rate, native))
        # With its filters it takes half a second to import, and most recordings never need it.
        from .upper_band import UpperBand

        return UpperBand(rate, native).restored(
            original,
            resampled(reference, native, rate),
            resampled(self._cleaned(stream, lower, native), native, rate),
        )

    def _cleaned(self, stream: Stream, blocks: Iterable[Mono], rate: int) -> Iterator[Mono]:
        head, rest = split(blocks, round(self.warm_up * rate))
        # Backwards up to the beginning: a jump there would be heard, and the end of the warm-up
        # with it. In whole hops, so that the windows lie as they do without.
        hops = -(-round(_APPROACH * rate) // stream.hop)
        lead = np.concatenate((head, head[: hops * stream.hop][::-1]))
        fed = chain((lead, head), rest, (silence(stream.delay),))
        processed = map(stream.process, framed(fed, stream.hop))
        return skipped(processed, len(lead) + stream.delay)


def _sounds(survey: Survey, channel: int) -> bool:
    return bool(survey.peaks[channel] > SILENCE)


def _scale(survey: Survey, channel: int) -> float:
    peak = float(survey.peaks[channel])
    return float(np.clip(peak, *_COMFORTABLE)) / peak
