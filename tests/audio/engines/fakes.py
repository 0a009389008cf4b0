"""An engine without a model, that does as it is told."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np

from tenuto.audio.engines import Stream, StreamingEngine


class FakeEngine(StreamingEngine):
    name = "fake"
    tier = "basic"
    native_rate = None

    def __init__(self, change=lambda block: block, *, hop=160, delay=0, native_rate=None):
        self.change = change
        self.hop, self.delay = hop, delay
        self.native_rate = native_rate
        self.opened = 0
        self.closed = 0
        self.blocks = []

    @contextmanager
    def open_stream(self, rate):
        self.opened += 1
        held = np.zeros(self.delay, np.float32)

        def process(block):
            nonlocal held
            self.blocks.append((len(block), block.flags.c_contiguous, block.dtype))
            line = np.concatenate((held, self.change(block)))
            held = line[len(block) :]
            return line[: len(block)]

        try:
            yield Stream(process, self.hop, self.delay)
        finally:
            self.closed += 1


class BrokenEngine:
    """What somebody registered by mistake."""
