"""Writing with libsndfile, and with FFmpeg's libraries what that does not write."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import NoReturn

import av
import numpy as np
import soundfile

from tenuto.audio.sound import Passage, Samples, Sound, chunked
from tenuto.errors import EncodeError

from .formats import Target
from .reader import BLOCK_FRAMES
from .riff import complete, repeating, texts
from .sndfile import SYSTEM_ERROR

__all__ = ["write_with_libav", "write_with_sndfile"]

_LONGEST_WAV = 2**32 - 2**20  # bytes; the rest is left for the header and the tags
_BYTES = {"PCM_U8": 1, "PCM_S8": 1, "ULAW": 1, "ALAW": 1, "PCM_16": 2, "PCM_24": 3, "DOUBLE": 8}
_FLOATS = {"FLOAT", "DOUBLE"}
# Where the encoders cut off what is below the last bit, or may do so. The others have too many bits
# for a float32 to have anything there, or no bits that are a step of anything.
_BITS = {
    "PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "ALAC_16": 16, "ALAC_20": 20,
    "ALAC_24": 24, "FLAC_16": 16, "FLAC_24": 24,
}  # fmt: skip
# libsndfile drops all tags of a WAV file if they are longer than a few kilobytes together.
_MAX_TAG = 2000
_MAX_TAGS = 6000
_LIBAV_TAGS = {"tracknumber": "track"}
_BIT_RATES = {"MPEG_LAYER_III": (32_000, 320_000), "AAC": (16_000, 512_000)}
_USUAL_BIT_RATE = 96_000  # a channel
# FFmpeg's name for each number of channels.
_LAYOUTS = ("mono", "stereo", "3.0", "4.0", "5.0", "5.1", "6.1", "7.1")
_LAYOUTS_WITHOUT_BASS = {6: "hexagonal"}
_SAMPLE_FORMATS = {"ALAC_16": "s16p", "ALAC_24": "s32p", "FLAC_16": "s16", "FLAC_24": "s32"}


def write_with_sndfile(descriptor: int, sound: Sound | Passage, target: Target) -> None:
    """Raises ``EncodeError`` and ``OSError``."""
    container = target.container
    size = sound.frames * sound.channels * _BYTES.get(target.subtype, 4)
    if container in {"WAV", "WAVEX"} and size > _LONGEST_WAV:
        container = "RF64"
    full_scale = sound.source.full_scale if target.subtype in _FLOATS else 1.0
    is_wave = container in {"WAV", "WAVEX", "RF64"}
    # Marks count frames, so they hold only as long as those are the same.
    is_same = is_wave and sound.rate == sound.source.rate
    chunks = repeating(sound.source.chunks, sound.source.tags) if is_same else ()
    try:
        with soundfile.SoundFile(
            descriptor,
            "w",
            samplerate=sound.rate,
            channels=sound.channels,
            format=container,
            subtype=target.subtype,
            endian=target.endian,
            closefd=False,
        ) as file:
            for name, text in _tags(sound, without=texts(chunks)).items():
                # Containers without tags, or without this one, refuse it.
                with suppress(soundfile.LibsndfileError):
                    setattr(file, name, text)
            # One huge block overflows the stack in libsndfile's Vorbis encoder.
            for block in _rounded(_blocks(sound), target.subtype):
                file.write(block if full_scale == 1.0 else block * np.float32(full_scale))
    except soundfile.LibsndfileError as error:
        if error.code == SYSTEM_ERROR:
            _raise_write_error(descriptor, error)
        raise EncodeError(f"libsndfile refuses: {error.error_string}") from error
    if is_wave:
        # Of this one alone libsndfile counts what fills up the last block.
        frames = sound.frames if target.subtype == "IMA_ADPCM" else None
        complete(descriptor, chunks, frames=frames)


def write_with_libav(
    descriptor: int, sound: Sound | Passage, target: Target, form: str, encoder: str
) -> None:
    """Raises ``EncodeError`` and ``OSError``."""
    layout, choices = _LAYOUTS[sound.channels - 1], {}
    if not target.for_speakers:
        layout = _LAYOUTS_WITHOUT_BASS.get(sound.channels, layout)
        choices = {"mapping_family": "255"}  # RFC 7845, section 5.1.1.3: of no meaning
    # The index of an MP4 file counts milliseconds otherwise, and rounds the length to one.
    options = {"movie_timescale": str(sound.rate)} if form == "ipod" else {}
    try:
        with av.open(f"/dev/fd/{descriptor}", "w", format=form, options=options) as container:
            tags = _tags(sound)
            container.metadata.update({_LIBAV_TAGS.get(name, name): tags[name] for name in tags})
            stream = container.add_stream(encoder, rate=sound.rate, options=choices)
            assert isinstance(stream, av.AudioStream)
            codec = stream.codec_context
            codec.layout = layout
            if target.subtype in _SAMPLE_FORMATS:
                codec.format = _SAMPLE_FORMATS[target.subtype]
            if limits := _BIT_RATES.get(target.subtype):
                codec.bit_rate = min(max(_bit_rate(sound, target), limits[0]), limits[1])
            codec.open()
            converter = av.AudioResampler(
                format=codec.format, layout=layout, rate=sound.rate, frame_size=codec.frame_size
            )
            for frame in _frames(sound, target, layout):
                for converted in converter.resample(frame):
                    container.mux(stream.encode(converted))
            container.mux(stream.encode(None))
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            _raise_write_error(descriptor, error)
        raise EncodeError(f"FFmpeg refuses: {error}") from error


def _blocks(sound: Sound | Passage) -> Iterator[Samples]:
    # Some encoders look ahead as far as they are let: the result must not depend on the chunks.
    for block in chunked(sound.blocks(), BLOCK_FRAMES):
        if not np.isfinite(block).all():
            raise EncodeError("the sound has samples that are not numbers")
        yield block


def _rounded(blocks: Iterator[Samples], subtype: str) -> Iterator[Samples]:
    """Blocks of nothing but what the integers of ``subtype`` can hold; they are changed in place.

    A float32 has 24 bits, so that each of those integers is exact in it.
    """
    bits = _BITS.get(subtype)
    if bits is None:
        yield from blocks
        return
    steps = np.float32(2 ** (bits - 1))
    for block in blocks:
        np.clip(block, -1, 1 - 1 / steps, out=block)
        np.multiply(block, steps, out=block)
        np.rint(block, out=block)
        np.divide(block, steps, out=block)
        yield block


def _frames(sound: Sound | Passage, target: Target, layout: str) -> Iterator[av.AudioFrame | None]:
    position = 0
    for block in _rounded(_blocks(sound), target.subtype):
        frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate = sound.rate
        frame.pts = position
        position += len(block)
        yield frame
    yield None  # what the converter still holds


def _tags(sound: Sound | Passage, *, without: Collection[str] = ()) -> dict[str, str]:
    tags, room = {}, _MAX_TAGS
    for name, text in sound.source.tags.items():
        # "software" names the program which wrote the file.
        if name == "software" or name in without:
            continue
        encoded = text.encode("utf-8", "replace")[: min(_MAX_TAG, room)]
        room -= len(encoded)
        tags[name] = encoded.decode("utf-8", "ignore")
    return tags


def _bit_rate(sound: Sound | Passage, target: Target) -> int:
    same = sound.source.subtype == target.subtype
    return (same and sound.source.bit_rate) or _USUAL_BIT_RATE * sound.channels


def _raise_write_error(descriptor: int, error: Exception) -> NoReturn:
    """Raise the ``OSError`` that an encoder met, by meeting it again: it does not say which."""
    os.pwrite(descriptor, bytes(BLOCK_FRAMES), os.fstat(descriptor).st_size)
    raise OSError(errno.EIO, "could not be written, for a moment") from error
