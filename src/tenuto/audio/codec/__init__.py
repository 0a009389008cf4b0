"""From files to sounds and back: ``probe``, ``decode``, ``encode``, ``writable_as``."""

from .decoding import decode, probe
from .encoding import encode
from .formats import AUDIO_SUFFIXES, Target, writable_as
from .limits import DEFAULT_LIMITS, Limits

__all__ = [
    "AUDIO_SUFFIXES",
    "DEFAULT_LIMITS",
    "Limits",
    "Target",
    "decode",
    "encode",
    "probe",
    "writable_as",
]
