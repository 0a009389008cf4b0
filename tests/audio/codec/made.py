"""Files that only FFmpeg writes, made by code."""

from __future__ import annotations

import io

import av
import numpy as np

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def made(samples, rate, codec, muxer, *, sample_format=None, options=None, tags=None) -> bytes:
    """A whole file; ``samples`` as in a ``Sound``."""
    file = io.BytesIO()
    file.name = f"made.{muxer}"
    layout = LAYOUTS[samples.shape[1]]
    with av.open(file, "w", format=muxer, options=options or {}) as container:
        container.metadata.update(tags or {})
        stream = container.add_stream(codec, rate=rate)
        context = stream.codec_context
        context.layout = layout
        if sample_format:
            context.format = sample_format
        context.open()
        converter = av.AudioResampler(
            format=context.format, layout=layout, rate=rate, frame_size=context.frame_size
        )
        values = np.ascontiguousarray(samples, np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(values, format="flt", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        for each in (frame, None):
            for converted in converter.resample(each):
                container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    return file.getvalue()
