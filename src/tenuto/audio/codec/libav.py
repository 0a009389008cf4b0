"""Reading with FFmpeg's libraries: what libsndfile cannot open, and FLAC that is damaged."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

from tenuto.audio.sound import Samples, SourceFormat
from tenuto.errors import DecodeError

from .access import check_readable
from .declared import declared_frames
from .flac import flac_frames
from .reader import BLOCK_FRAMES, Reader
from .riff import kept_chunks, texts
from .speakers import subwoofer_among

__all__ = ["LibavReader", "read_tags"]

# A playlist, a script or a text is no recording, and some demuxers open whatever files and
# addresses are written in one. So only those that read sound from the one file are let in.
_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,aac,loas,asf,avi,flv,mpegts,mpeg,mp3,flac,wav,w64,"
    "aiff,au,caf,ac3,eac3,dts,truehd,amr,amrnb,amrwb,ape,wv,tta,tak,mpc,mpc8,dsf,iff,rm,oma,gsm"
)
_NAMES = {
    "mov,mp4,m4a,3gp,3g2,mj2": "M4A",
    "matroska,webm": "MATROSKA",
    "aac": "ADTS",
}
_SUBTYPES = {
    "PCM_U8": "PCM_U8",
    "PCM_S8": "PCM_S8",
    "PCM_S16": "PCM_16",
    "PCM_S24": "PCM_24",
    "PCM_S32": "PCM_32",
    "PCM_F32": "FLOAT",
    "PCM_F64": "DOUBLE",
    "PCM_ALAW": "ALAW",
    "PCM_MULAW": "ULAW",
    "MP3": "MPEG_LAYER_III",
}
# Lossless codecs have no name of their own there: what counts is what comes out of them. Of 32 bits
# a float32 keeps 24, and there is no telling how many were meant.
_SUBTYPES_BY_SAMPLE = {
    "u8": "PCM_U8", "s16": "PCM_16", "s32": "PCM_24", "flt": "FLOAT", "dbl": "DOUBLE",
}  # fmt: skip
_LOSSLESS_TOO = {"wavpack"}  # it has a lossy mode as well, whose samples have as many bits
_LOSSY = {"AAC", "OPUS", "VORBIS", "MP3"}
_WEBM_CODECS = {"opus", "vorbis"}
# These have no index, and their length is a guess from the bit rate.
_WITHOUT_LENGTH = {"aac", "loas", "mp3", "ac3", "eac3", "dts", "truehd", "amr", "gsm", "mpegts"}
_TAGS = {"track": "tracknumber"}
_KNOWN_TAGS = {
    "title", "artist", "album", "comment", "date", "genre", "copyright", "license", "tracknumber",
}  # fmt: skip
_MAX_TAG = 4096
_PACKET = 8192  # frames; encoders fill up the last packet
_READABLE = {"u8", "u8p", "s16", "s16p", "s32", "s32p", "flt", "fltp", "dbl", "dblp"}
_FULL_SCALE = {
    code: np.float32(scale)
    for code, scale in {"i2": 2.0**15, "i4": 2.0**31, "f4": 1.0, "f8": 1.0}.items()
}
_DURATION = re.compile(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d+)?)")
_COVER = av.stream.Disposition.attached_pic
_LOOKALIKES = 8  # headers that are none, in one FLAC frame: more are no chance
_JITTER = 0.05  # seconds; containers that keep time in milliseconds are that little exact


class LibavReader:
    """A file that FFmpeg knows. Raises ``av.FFmpegError`` for one it does not.

    Where time stamps show that something is missing, silence takes its place, so that the rest
    stays where it was. So does a FLAC frame whose checksum is wrong. With ``ignore_length`` a WAV
    file is read to its end, whatever its header says. ``source`` and ``flaws`` are what is known
    of the file already, better than a decoder can tell.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        ignore_length: bool = False,
        source: SourceFormat | None = None,
        flaws: tuple[str, ...] | None = None,
    ) -> None:
        self._descriptor = descriptor
        self._ignore_length = ignore_length
        self._known_flaws = flaws
        self._container = _open(descriptor, ignore_length=ignore_length)
        if not self._container.streams.audio:
            self.close()
            raise DecodeError("holds no sound, only other media; name a recording")
        self._stream = self._container.streams.audio[0]
        if self._stream.codec_context is None:
            self.close()
            raise DecodeError("holds sound in a format that nothing here decodes; convert it")
        # Only FLAC has checksums, so that a damaged frame can be told from a good one.
        self._strict = self._container.format.name == "flac"
        if self._strict:
            self._stream.codec_context.options = {"err_detect": "crccheck+explode"}
        self._failed = self._filled = 0
        self._broken_off = False
        self._origin: int | None = None
        self.remarks = tuple(self._left_out())
        described = self._describe()
        self._length = described.declared_frames
        self.source = source or described
        self.expected_frames = self.source.declared_frames
        self._jitter = round(_JITTER * self.source.rate)
        self.padding = 0 if self._strict else min(_PACKET, self.source.rate // 5)

    def _describe(self) -> SourceFormat:
        codec = self._stream.codec_context
        kind = self._container.format.name
        name = _NAMES.get(kind, kind.split(",")[0].upper())
        if name == "MATROSKA" and codec.codec.canonical_name in _WEBM_CODECS:
            name = "WEBM"
        chunks = kept_chunks(self._descriptor)
        is_lossy = codec.codec.canonical_name.upper() in _LOSSY
        frames = None if kind in _WITHOUT_LENGTH else self._declared_frames()
        return SourceFormat(
            container=name,
            subtype=_subtype(name, codec),
            rate=codec.sample_rate,
            channels=codec.layout.nb_channels,
            tags={**_tags(self._container, self._stream), **texts(chunks)},
            declared_frames=declared_frames(name, self._descriptor, frames),
            bit_rate=(codec.bit_rate or None) if is_lossy else None,
            # Of lossless codecs the layout is a guess from the number of channels.
            subwoofer=None if codec.codec.lossless else subwoofer_among(codec.layout),
            chunks=chunks,
        )

    def _declared_frames(self) -> int | None:
        rate = self._stream.codec_context.sample_rate
        if self._stream.duration and self._stream.time_base:
            return round(self._stream.duration * self._stream.time_base * rate)
        # Matroska has no length for a stream, but most of its writers add one as a tag.
        if tagged := _DURATION.fullmatch(self._stream.metadata.get("DURATION", "")):
            hours, minutes, seconds = tagged.groups()
            return round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * rate)
        # The whole is as long as the longest of its streams.
        if self._container.duration and not self.remarks:
            return round(self._container.duration / av.time_base * rate)
        return None

    def _left_out(self) -> Iterator[str]:
        """A cover is no film."""
        if any(not film.disposition & _COVER for film in self._container.streams.video):
            yield "its picture is left out"
        if further := len(self._container.streams.audio) - 1:
            tracks = "sound track is" if further == 1 else "sound tracks are"
            yield f"{further} further {tracks} left out"

    def blocks(self) -> Iterator[Samples]:
        """Raises ``OSError``."""
        position, channels = 0, self.source.channels
        for frame, time in self._frames():
            block = _samples(frame)
            start = self._start(time, position)
            if start is None or block.shape[1] != channels or frame.sample_rate != self.source.rate:
                self._failed += 1
                continue
            yield from _silence(start - position, channels)
            self._filled += start - position
            yield block
            position = start + len(block)

    def _frames(self) -> Iterator[tuple[av.AudioFrame, int | None]]:
        """Frames, and when they begin as far as that is known, at the rate of the sound."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as error:
                self._check_readable(error)
                self._broken_off = True
                return
            try:
                frames = packet.decode()
            except av.error.EOFError:
                return
            except av.FFmpegError as error:
                self._check_readable(error)
                frames = []
                self._failed += not self._strict
            if self._strict and packet.size and (len(frames) != 1 or frames[0].pts is None):
                yield from self._apart(bytes(packet))
            else:
                yield from ((frame, self._time(frame)) for frame in frames)

    def _apart(self, packet: bytes) -> Iterator[tuple[av.AudioFrame, int]]:
        """The good frames in a ``packet`` of several FLAC frames, some of which are damaged."""
        codec = self._stream.codec_context
        block = int.from_bytes((codec.extradata or b"")[2:4])
        found = list(flac_frames(packet, block))
        reached, holes = 0, False
        for number, (offset, start) in enumerate(found):
            if offset < reached:  # it only looked like a header
                continue
            ends = [after.offset for after in found[number + 1 :]] + [len(packet)]
            for end in ends[:_LOOKALIKES]:
                try:
                    frames = codec.decode(av.Packet(packet[offset:end]))
                except av.FFmpegError:
                    continue
                if frames:
                    yield frames[0], start
                    holes = holes or offset > reached
                    reached = end
                    break
        self._failed += holes or reached < len(packet)

    def _check_readable(self, error: av.FFmpegError) -> None:
        # FFmpeg gives numbers of the operating system to faults of the file, too.
        if isinstance(error, OSError):
            check_readable(self._descriptor)

    def _time(self, frame: av.AudioFrame) -> int | None:
        if frame.pts is None or frame.time_base is None:
            return None
        return round(frame.pts * frame.time_base * self.source.rate)

    def _start(self, time: int | None, position: int) -> int | None:
        """Where the frame of that ``time`` belongs, from the beginning; None for nowhere.

        ``position`` is where the last one ended.
        """
        if time is None:
            return None if self._strict else position
        if self._origin is None:
            # What was recorded from a broadcast begins anywhere; what begins late was damaged.
            late = self._length is not None or time <= self.source.rate
            self._origin = 0 if self._strict and late else time
        gap = time - self._origin - position
        if self._strict and gap < 0:
            if self._length is not None:
                return None
            self._origin += gap  # another recording, behind the first
            return position
        # A time stamp may be damaged, too: only one within the file's own length is believed, or
        # one with a checksum.
        within = self._length is not None and position + gap < self._length
        believed = within or (self._strict and self._length is None)
        exact = self._stream.time_base == Fraction(1, self.source.rate)
        return position + gap if believed and gap > (0 if exact else self._jitter) else position

    def flaws(self) -> tuple[str, ...]:
        if self._known_flaws is not None:
            return self._known_flaws
        flaws = []
        if self._filled:
            seconds = self._filled / self.source.rate
            flaws.append(f"{seconds:.2f} s of missing or damaged sound were filled with silence")
        elif self._failed:
            flaws.append(f"{self._failed} of its packets could not be decoded")
        if self._broken_off:
            flaws.append("it breaks off: what follows cannot be read")
        return tuple(flaws)

    def again(self) -> Reader:
        return LibavReader(
            self._descriptor,
            ignore_length=self._ignore_length,
            source=self.source,
            flaws=self._known_flaws,
        )

    def close(self) -> None:
        self._container.close()


def _subtype(container: str, codec: av.AudioCodecContext) -> str:
    name = codec.codec.canonical_name.upper()
    known = _SUBTYPES.get(name.removesuffix("LE").removesuffix("BE"))
    kind = codec.codec
    lossless = kind.lossless and (not kind.lossy or kind.canonical_name in _LOSSLESS_TOO)
    if known or not lossless or codec.format is None:
        return known or name
    subtype = _SUBTYPES_BY_SAMPLE.get(codec.format.name.removesuffix("p"), name)
    if name == "ALAC" or (name, container) == ("FLAC", "OGG"):  # these are written again as such
        return f"{name}_16" if subtype == "PCM_16" else f"{name}_24"
    return subtype


def read_tags(descriptor: int) -> dict[str, str]:
    """The tags of a file, as far as FFmpeg can read any. Leaves the descriptor anywhere."""
    try:
        with _open(descriptor) as container:
            return _tags(container, container.streams.audio[0])
    except (av.FFmpegError, LookupError):
        return {}


def _open(descriptor: int, *, ignore_length: bool = False) -> av.container.InputContainer:
    os.lseek(descriptor, 0, os.SEEK_SET)
    # In a pipe nothing can be looked for behind the sound, which may be gigabytes of silence.
    protocol, more = ("pipe", {"ignore_length": "1"}) if ignore_length else ("fd", {})
    return av.open(
        f"{protocol}:",
        options={
            "fd": str(descriptor),
            "format_whitelist": _DEMUXERS,
            "protocol_whitelist": protocol,
            **more,
        },
        metadata_errors="replace",
    )


def _tags(container: av.container.InputContainer, stream: av.AudioStream) -> dict[str, str]:
    both = {**stream.metadata, **container.metadata}
    named = {_TAGS.get(name.lower(), name.lower()): text for name, text in both.items()}
    return {name: text[:_MAX_TAG] for name, text in named.items() if name in _KNOWN_TAGS}


def _samples(frame: av.AudioFrame) -> Samples:
    if frame.format.name not in _READABLE:
        (frame,) = av.AudioResampler(format="dbl", layout=frame.layout).resample(frame)
    values = frame.to_ndarray()
    values = values.T if frame.format.is_planar else values.reshape(frame.samples, -1)
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values, np.float32) / np.float32(128) - np.float32(1)
    return np.ascontiguousarray(values, np.float32) / _FULL_SCALE[values.dtype.str[1:]]


def _silence(frames: int, channels: int) -> Iterator[Samples]:
    for start in range(0, frames, BLOCK_FRAMES):
        yield np.zeros((min(BLOCK_FRAMES, frames - start), channels), np.float32)
