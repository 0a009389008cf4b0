"""Which suffix an output gets."""

from __future__ import annotations

from collections.abc import Mapping

from tenuto.errors import ConfigurationError, EncodeError

__all__ = ["output_suffixes", "suffix_of"]

_NOT_WRITTEN = {
    ".aac": ".m4a",
    **dict.fromkeys(
        (".mp2", ".mka", ".wma", ".amr", ".3gp", ".ac3", ".wv", ".ape", ".tta", ".voc"), ".flac"
    ),
}
"""Formats that are read, and what is written instead of them."""


def output_suffixes() -> Mapping[str, str]:
    """The suffix of the output for each suffix that sound files have."""
    from tenuto.audio.codec import AUDIO_SUFFIXES

    return {suffix: _NOT_WRITTEN.get(suffix, suffix) for suffix in AUDIO_SUFFIXES}


def suffix_of(container: str) -> str:
    """The suffix of files in the format ``container``; ConfigurationError if it is not written."""
    from tenuto.audio.codec import writable_as
    from tenuto.audio.sound import SourceFormat

    anything = SourceFormat("WAV", "PCM_16", rate=48_000, channels=1)
    try:
        return writable_as(anything, container).suffix
    except EncodeError as error:
        raise ConfigurationError(
            f"the format {container!r}", "give wav, flac, ogg, opus, mp3 or m4a"
        ) from error
