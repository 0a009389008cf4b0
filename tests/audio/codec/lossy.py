"""Files as other programs write them, by FFmpeg."""

from __future__ import annotations

import io

import av
import numpy as np

BARE = {"write_xing": "0", "id3v2_version": "0"}
"""An MP3 file of nothing but frames."""


def written(
    form, codec, samples, rate, *, bit_rate=64_000, options=None, tracks=1, picture=0.0
) -> bytes:
    """A file of ``tracks`` times the same sound, and a film of ``picture`` seconds."""
    file = io.BytesIO()
    layout = "mono" if samples.shape[1] == 1 else "stereo"
    with av.open(file, "w", format=form, options=options or {}) as container:
        streams = [container.add_stream(codec, rate=rate) for _ in range(tracks)]
        for stream in streams:
            stream.codec_context.layout = layout
            stream.codec_context.bit_rate = bit_rate
            stream.codec_context.open()
        if picture:
            film = container.add_stream("mpeg4", rate=25)
            film.width = film.height = 64
            film.pix_fmt = "yuv420p"
            for number in range(round(25 * picture)):
                image = av.VideoFrame.from_ndarray(
                    np.full((96, 64), number % 256, np.uint8), format="yuv420p"
                )
                image.pts = number
                container.mux(film.encode(image))
            container.mux(film.encode(None))
        for stream in streams:
            context = stream.codec_context
            converter = av.AudioResampler(
                format=context.format, layout=layout, rate=rate, frame_size=context.frame_size
            )
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples, np.float32).reshape(1, -1),
                format="flt",
                layout=layout,
            )
            frame.sample_rate = rate
            frame.pts = 0
            for converted in [*converter.resample(frame), *converter.resample(None)]:
                container.mux(stream.encode(converted))
            container.mux(stream.encode(None))
    return file.getvalue()


def mp3(samples, rate, *, bit_rate=64_000, **options) -> bytes:
    """With no header that tells the length, unless ``options`` ask for it."""
    return written(
        "mp3", "libmp3lame", samples, rate, bit_rate=bit_rate, options={**BARE, **options}
    )


def id3_picture(size) -> bytes:
    """An ID3v2.3 tag of nothing but a picture of ``size`` bytes."""
    image = b"\0image/jpeg\0\3\0" + b"\x55" * size
    frame = b"APIC" + len(image).to_bytes(4, "big") + b"\0\0" + image
    length = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + length + frame
