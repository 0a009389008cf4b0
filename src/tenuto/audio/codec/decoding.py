"""``probe`` and ``decode``: from a file to a sound, or to one clear reason why not."""

from __future__ import annotations

from contextlib import closing

from tenuto.audio.sound import Sound, SourceFormat
from tenuto.audio.storage import allocate, gathered

from .access import StrOrBytesPath, opened
from .limits import DEFAULT_LIMITS, Limits, check_plausible
from .opening import open_reader
from .recording import open_recording

__all__ = ["decode", "probe"]


def probe(path: StrOrBytesPath, *, limits: Limits = DEFAULT_LIMITS) -> SourceFormat:
    """What the header of the file at ``path`` says. Reads no samples.

    Raises as ``decode`` does, but finds only what a header shows.
    """
    with opened(path) as descriptor, closing(open_reader(descriptor)) as reader:
        check_plausible(reader, limits)
        return reader.source


def decode(path: StrOrBytesPath, *, limits: Limits = DEFAULT_LIMITS) -> Sound:
    """The sound in the file at ``path``, as a whole.

    What is good in a damaged file is kept, as ``open_recording`` says, and raised what it raises.
    A sound of more than 256 MiB is kept in a temporary file, and ``OSError`` (``ENOSPC``) raised
    where that has no room.
    """
    with open_recording(path, limits=limits) as recording:
        room = allocate(recording.frames, recording.channels)
        samples = gathered(recording.blocks(), room)
        return Sound(samples, recording.rate, recording.source, recording.repairs)
