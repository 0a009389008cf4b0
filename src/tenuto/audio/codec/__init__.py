"""From files to sounds and back: ``decode``, ``encode``, ``open_recording``, ``writable_as``."""

from .decoding import decode, probe
from .encoding import encode
from .formats import AUDIO_SUFFIXES, Target, writable_as, writable_under
from .limits import DEFAULT_LIMITS, Limits
from .recording import Recording, open_recording

__all__ = [
    "AUDIO_SUFFIXES",
    "DEFAULT_LIMITS",
    "Limits",
    "Recording",
    "Target",
    "decode",
    "encode",
    "open_recording",
    "probe",
    "writable_as",
    "writable_under",
]
