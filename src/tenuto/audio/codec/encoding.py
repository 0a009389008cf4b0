"""``encode``: from a sound to a file, in the format it came in or another."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace

from tenuto.audio.sound import Passage, Sound
from tenuto.errors import DecodeError, EncodeError

from .access import StrOrBytesPath, display
from .formats import Target, writable_as
from .opening import open_reader
from .writing import write_with_libav, write_with_sndfile

__all__ = ["encode"]


def encode(
    sound: Sound | Passage,
    path: StrOrBytesPath,
    *,
    container: str | None = None,
    subtype: str | None = None,
) -> None:
    """Write ``sound`` to exactly ``path``, which is overwritten.

    Without ``container`` the file is as the source was: container, subtype, byte order, tags, and
    for MP3 and M4A the bit rate. Integers are rounded and clipped, never wrapped, without dither.
    A WAV file of more than 4 GiB becomes RF64. ``writable_as`` tells beforehand what can be
    written, and under which suffix. A file that could not be written is removed.

    Raises ``EncodeError`` where the format cannot hold the sound, or where the source's own cannot
    be written and no other was named; ``OSError`` where the disk is at fault (``ENOSPC`` …).
    """
    name = display(path)
    try:
        target = _target(sound, container, subtype)
        with _created(path) as descriptor:
            if target.libav is None:
                write_with_sndfile(descriptor, sound, target)
            else:
                write_with_libav(descriptor, sound, target, *target.libav)
            _check_whole(descriptor, sound)
    except EncodeError as error:
        details = {**error.details, "path": name}
        raise EncodeError(f"{name} was not written: {error}", **details) from error.__cause__


def _target(sound: Sound | Passage, container: str | None, subtype: str | None) -> Target:
    if sound.frames == 0:
        raise EncodeError("the sound has no samples")
    source = replace(
        sound.source, rate=sound.rate, channels=sound.channels, declared_frames=sound.frames
    )
    target = writable_as(source, container, subtype)
    if container is None and subtype is None and target.reason:
        raise EncodeError(f"{target.reason}; name it as the container")
    return target


@contextmanager
def _created(path: StrOrBytesPath) -> Generator[int, None, None]:
    # Reading is for the check afterwards; not blocking is for a pipe that nobody reads.
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o666)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise EncodeError("it is not a file; name one")
        try:
            yield descriptor
        except BaseException:  # an interruption too: half a file must not pass for a whole one
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - a path may be bytes
            raise
    finally:
        os.close(descriptor)


def _check_whole(descriptor: int, sound: Sound | Passage) -> None:
    """Not every writer tells of a full disk in every place; the file does."""
    try:
        with closing(open_reader(descriptor)) as reader:
            written, missing = reader.expected_frames, reader.padding
    except DecodeError as error:
        raise OSError(errno.EIO, "what was written cannot be read again") from error
    if written is not None and (not written or written + missing < sound.frames):
        raise OSError(errno.EIO, f"{written:,} of {sound.frames:,} frames were written")
