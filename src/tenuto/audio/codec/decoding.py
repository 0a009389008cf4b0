"""``probe`` and ``decode``: from a file to a sound, or to one clear reason why not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import av

from tenuto.audio.sound import Samples, Sound, SourceFormat
from tenuto.errors import DecodeError

from .access import StrOrBytesPath, opened
from .libav import LibavReader
from .limits import DEFAULT_LIMITS, Limits
from .opening import open_reader
from .reader import Reader
from .repair import Repaired, is_suspect, repair
from .sndfile import CorruptFrameError
from .store import SampleStore

__all__ = ["decode", "probe"]

# Formats of which libsndfile stops at damage that FFmpeg reads past.
_SALVAGEABLE = {"FLAC", "MP3"}


def probe(path: StrOrBytesPath, *, limits: Limits = DEFAULT_LIMITS) -> SourceFormat:
    """What the header of the file at ``path`` says. Reads no samples.

    Raises as ``decode`` does, but finds only what a header shows.
    """
    with opened(path) as descriptor, closing(open_reader(descriptor)) as reader:
        _check_plausible(reader, limits)
        return reader.source


def decode(path: StrOrBytesPath, *, limits: Limits = DEFAULT_LIMITS) -> Sound:
    """The sound in the file at ``path``.

    What is good in a damaged file is kept, and ``Sound.repairs`` says what is not: a truncated
    file ends early, damaged FLAC frames are silent, samples that are not numbers are replaced as
    ``repair`` describes. A sound of more than 256 MiB is kept in a temporary file.

    Raises ``DecodeError`` if there is no sound in the file that can be read, or one that is beyond
    ``limits``; its message names the file, says what is wrong, and what to do. Raises ``OSError``
    if the fault is not the file's: the disk cannot be read, or has no room, or the file was
    changed meanwhile.
    """
    with opened(path) as descriptor, closing(open_reader(descriptor)) as reader:
        _check_plausible(reader, limits)
        take = _take(reader, limits)
        if reader.source.container in _SALVAGEABLE and _is_short(reader, take):
            take = _salvage(descriptor, reader, take, limits)
        return _sound(reader, take)


@dataclass(frozen=True, slots=True)
class _Take:
    """What came out of a decoder."""

    store: SampleStore
    suspect: bool
    failure: str = ""
    flaws: tuple[str, ...] = ()


def _check_plausible(reader: Reader, limits: Limits) -> None:
    source = reader.source
    for what, value, most in (
        ("a sample rate in Hz", source.rate, limits.max_rate),
        ("a number of channels", source.channels, limits.max_channels),
    ):
        if not 1 <= value <= most:
            raise DecodeError(
                f"declares {what} of {value:,}, and 1 to {most:,} can be; its header is damaged"
            )
    most = limits.max_frames(source.rate, source.channels)
    if reader.expected_frames is not None and reader.expected_frames > most:
        raise _too_long(source, reader.expected_frames, limits)


def _too_long(source: SourceFormat, frames: int, limits: Limits) -> DecodeError:
    hours = frames * source.channels / source.rate / 3600
    return DecodeError(
        f"holds {hours:,.1f} hours of sound, counting each channel, and at most "
        f"{limits.channel_hours:g} are decoded; raise Limits.channel_hours if it is a recording"
    )


def _within(limits: Limits, reader: Reader) -> Iterator[Samples]:
    most = limits.max_frames(reader.source.rate, reader.source.channels)
    frames = 0
    for block in reader.blocks():
        frames += len(block)
        if frames > most:
            raise _too_long(reader.source, frames, limits)
        yield block


def _take(reader: Reader, limits: Limits) -> _Take:
    source = reader.source
    store = SampleStore(source.channels, reader.expected_frames or 0)
    suspect, failure = False, ""
    try:
        for block in _within(limits, reader):
            suspect = suspect or is_suspect(block)
            store.append(block)
        flaws = reader.flaws()
    except CorruptFrameError as error:
        failure, flaws = str(error), ()
    except BaseException:
        store.close()
        raise
    return _Take(store, suspect, failure, flaws)


def _is_short(reader: Reader, take: _Take) -> bool:
    declared = reader.source.declared_frames
    return bool(take.failure) or (
        declared is not None and declared - take.store.frames > reader.padding
    )


def _salvage(descriptor: int, reader: Reader, take: _Take, limits: Limits) -> _Take:
    """``take`` may end at the first damage; look for more behind it."""
    source = reader.source
    try:
        # Only FLAC has checksums, so that a damaged frame can be told from a good one.
        with closing(LibavReader(descriptor, strict=source.container == "FLAC")) as other:
            if (other.source.rate, other.source.channels) != (source.rate, source.channels):
                return take
            salvaged = _take(other, limits)
    except (av.FFmpegError, DecodeError):
        return take
    better, worse = (take, salvaged)
    if salvaged.store.frames > take.store.frames:
        better, worse = worse, better
    worse.store.close()
    return better


def _sound(reader: Reader, take: _Take) -> Sound:
    source, frames = reader.source, take.store.frames
    declared = source.declared_frames
    if frames == 0:
        take.store.close()
        although = f", although its header declares {declared:,}" if declared else ""
        raise DecodeError(f"has no samples{although}; record or copy it again")
    repairs = []
    if declared is not None and declared - frames > reader.padding:
        kept, promised = _seconds(frames / source.rate, declared / source.rate)
        repairs.append(f"kept {kept} s of the {promised} s its header declares")
    elif declared is not None and 0 < frames - declared <= reader.padding:
        frames = declared
    if take.failure:
        repairs.append(f"the rest cannot be decoded ({take.failure})")
    samples = take.store.finish(frames)
    fixed = repair(samples) if take.suspect else Repaired(1.0, ())
    return Sound(
        samples=samples,
        rate=source.rate,
        source=replace(source, full_scale=fixed.full_scale),
        repairs=(*repairs, *take.flaws, *fixed.sentences),
    )


def _seconds(shorter: float, longer: float) -> tuple[str, str]:
    """Both with as few decimals as tell them from each other, and from nothing."""
    texts = ((f"{shorter:.{digits}f}", f"{longer:.{digits}f}") for digits in range(1, 10))
    told = (pair for pair in texts if pair[0] != pair[1] and float(pair[0]) > 0)
    return next(told, (str(shorter), str(longer)))
