"""A file that can be heard from its beginning as often as need be, a block at a time.

One pass tells how long it is, what is wrong with it, and its survey. A short one is kept in memory
on that pass; a longer one is decoded again for each further pass, which costs a hundredth of what
an engine does with it, and no room.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace

import av
import soundfile

from tenuto.audio.sound import Passage, Samples, SourceFormat
from tenuto.audio.survey import Survey, Surveyor
from tenuto.errors import DecodeError

from .access import StrOrBytesPath, check_same, opened
from .limits import DEFAULT_LIMITS, Limits, check_plausible, within
from .opening import open_reader
from .reader import Reader
from .repair import NOTHING_WRONG, Repair, diagnose, is_suspect
from .salvaging import second_reader
from .sndfile import CorruptFrameError

__all__ = ["KEPT_BYTES", "Recording", "open_recording"]

KEPT_BYTES = 64 * 2**20
"""Of decoded samples. Three minutes at 48 kHz in stereo, a quarter of an hour of a telephone."""

_OnBlock = Callable[[float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A decoded recording of at least one frame, always finite, that is nowhere as a whole."""

    source: SourceFormat
    survey: Survey
    repairs: tuple[str, ...]
    """A sentence for each thing that was wrong with the file and was salvaged or repaired."""
    remarks: tuple[str, ...]
    """A sentence for each thing in the file that is not read, with which nothing is wrong."""
    _decoded: Callable[[], Generator[Samples, None, None]]
    _repair: Repair
    _check: Callable[[], None]

    @property
    def rate(self) -> int:
        """In Hz."""
        return self.survey.rate

    @property
    def frames(self) -> int:
        """How many instants were sampled."""
        return self.survey.frames

    @property
    def channels(self) -> int:
        """How many values each instant has."""
        return self.survey.channels

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.survey.duration

    def blocks(self) -> Generator[Samples, None, None]:
        """The sound from its beginning. One pass at a time; what it gives is not to be written to.

        Raises ``OSError`` where the disk cannot be read, or the file is no longer what it was.
        """
        with closing(self._decoded()) as decoded:
            yield from self._repair.applied(decoded)

    def check_unchanged(self) -> None:
        """Raise ``OSError`` (``EBUSY``) where the file is not the one that was decoded any more."""
        self._check()

    def with_blocks(self, blocks: Iterator[Samples]) -> Passage:
        """The same recording with another sound of the same length."""
        return Passage(self.source, self.rate, self.frames, self.channels, blocks)


@contextmanager
def open_recording(
    path: StrOrBytesPath, *, limits: Limits = DEFAULT_LIMITS, on_block: _OnBlock | None = None
) -> Generator[Recording, None, None]:
    """The recording in the file at ``path``, which stays open as long as the block lasts.

    What is good in a damaged file is kept, and ``repairs`` says what is not: a truncated file ends
    early, damaged FLAC frames are silent, samples that are not numbers are replaced as
    ``diagnose`` describes. ``on_block`` is told the length of each block that is decoded before
    the recording is there, in seconds.

    Raises ``DecodeError`` if there is no sound in the file that can be read, or one that is beyond
    ``limits``; its message names the file, says what is wrong, and what to do. Raises ``OSError``
    if the fault is not the file's: the disk cannot be read, or the file was changed meanwhile.
    """
    with ExitStack() as stack:
        descriptor = stack.enter_context(opened(path))
        before = os.fstat(descriptor)
        take = _first_take(descriptor, limits, on_block or _nobody)
        recording = _recording(take, lambda: check_same(path, before), on_block or _nobody)
        if take.kept is not None:
            stack.close()  # it is not needed any more, and may be changed
        yield recording


@dataclass(slots=True)
class _Take:
    """What came out of a decoder on the first pass."""

    again: Callable[[], Reader]
    limits: Limits
    source: SourceFormat
    padding: int
    remarks: tuple[str, ...]
    kept: list[Samples] | None = field(default_factory=list)
    survey: Survey | None = None
    """None where there is something to repair first."""
    frames: int = 0
    failure: str = ""
    flaws: tuple[str, ...] = ()

    @property
    def is_short(self) -> bool:
        """Whether there is less in it than the file declares, or it broke off."""
        declared = self.source.declared_frames
        short = declared is not None and declared - self.frames > self.padding
        return short or bool(self.failure)

    def keep(self, block: Samples) -> None:
        """Count it, and keep it as long as there is room."""
        self.frames += len(block)
        if self.frames * self.source.channels * 4 > KEPT_BYTES:
            self.kept = None
        elif self.kept is not None:
            self.kept.append(block)

    def decoded(self) -> Generator[Samples, None, None]:
        """The same blocks once more."""
        if self.kept is not None:
            yield from self.kept
            return
        left = self.frames
        with closing(self.again()) as reader:
            for block in _until_damage(_sound_of(reader, self.limits)):
                yield block[:left]
                left -= min(left, len(block))
                if not left:
                    break
        if left:
            raise OSError(errno.EBUSY, "changed while it was read")


def _first_take(descriptor: int, limits: Limits, on_block: _OnBlock) -> _Take:
    first = open_reader(descriptor)
    take = _take(first, limits, on_block)
    another = second_reader(descriptor, first, short=take.is_short)
    if another is None:
        return take
    try:
        salvaged = _take(another(), limits, on_block)
    except (av.FFmpegError, soundfile.LibsndfileError, DecodeError):
        return take
    if salvaged.frames <= take.frames:
        return take
    salvaged.padding = take.padding
    return salvaged


def _take(reader: Reader, limits: Limits, on_block: _OnBlock) -> _Take:
    with closing(reader):
        check_plausible(reader, limits)
        source = reader.source
        take = _Take(reader.again, limits, source, reader.padding, reader.remarks)
        surveyor = Surveyor(source.rate, source.channels)
        suspect = False
        try:
            for block in _sound_of(reader, limits):
                suspect = suspect or is_suspect(block)
                if not suspect:
                    surveyor.see(block)
                take.keep(block)
                on_block(len(block) / source.rate)
            take.flaws = reader.flaws()
        except CorruptFrameError as error:
            take.failure = str(error)
    take.survey = None if suspect else surveyor.survey()
    return take


def _sound_of(reader: Reader, limits: Limits) -> Iterator[Samples]:
    return _trimmed(within(reader, limits), reader.source.declared_frames, reader.padding)


def _until_damage(blocks: Iterator[Samples]) -> Iterator[Samples]:
    try:
        yield from blocks
    except CorruptFrameError:
        return  # as on the first pass, which told


def _trimmed(blocks: Iterator[Samples], declared: int | None, padding: int) -> Iterator[Samples]:
    """The blocks without what fills up the last packet; all of them, if there is more than that."""
    if not declared or not padding:
        yield from blocks
        return
    left, beyond = declared, 0
    held: list[Samples] = []
    for block in blocks:
        inside, outside = block[:left], block[left:]
        left -= len(inside)
        beyond += len(outside)
        if len(inside):
            yield inside
        if len(outside):  # of the others not even a view is kept: it would keep the whole block
            held.append(outside)
        if beyond > padding:
            yield from held
            held = []


def _nobody(_: float) -> None:
    """Whom to tell where nobody asks."""


def _recording(take: _Take, check: Callable[[], None], on_block: _OnBlock) -> Recording:
    source, declared = take.source, take.source.declared_frames
    if take.frames == 0:
        although = f", although its header declares {declared:,}" if declared else ""
        raise DecodeError(f"has no samples{although}; record or copy it again")
    repairs = []
    if declared is not None and declared - take.frames > take.padding:
        kept, promised = _seconds(take.frames / source.rate, declared / source.rate)
        repairs.append(f"kept {kept} s of the {promised} s its header declares")
    if take.failure:
        repairs.append(f"the rest cannot be decoded ({take.failure})")
    repair, survey = NOTHING_WRONG, take.survey
    if survey is None:

        def again() -> Iterator[Samples]:
            for block in take.decoded():
                on_block(len(block) / source.rate)
                yield block

        repair = diagnose(again)
        surveyor = Surveyor(source.rate, source.channels)
        for block in repair.applied(again()):
            surveyor.see(block)
        survey = surveyor.survey()
    return Recording(
        source=replace(source, full_scale=repair.full_scale),
        survey=survey,
        repairs=(*repairs, *take.flaws, *repair.sentences),
        remarks=take.remarks,
        _decoded=take.decoded,
        _repair=repair,
        _check=check,
    )


def _seconds(shorter: float, longer: float) -> tuple[str, str]:
    """Both with as few decimals as tell them from each other, and from nothing."""
    texts = ((f"{shorter:.{digits}f}", f"{longer:.{digits}f}") for digits in range(1, 10))
    told = (pair for pair in texts if pair[0] != pair[1] and float(pair[0]) > 0)
    return next(told, (str(shorter), str(longer)))
