"""Which formats can be written, and what they can hold.

libsndfile and FFmpeg would tell too, but too late, without a reason, or by a crash: libvorbis
brings the process down at sample rates above 200 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import soundfile

from tenuto.audio.sound import SourceFormat
from tenuto.errors import EncodeError

__all__ = [
    "AUDIO_SUFFIXES",
    "Target",
    "obstacle",
    "writable_as",
    "writable_under",
]

# fmt: off
AUDIO_SUFFIXES = frozenset({
    ".wav", ".wave", ".bwf", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf",
    ".sph", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".m4a", ".m4b", ".mp4", ".aac",
    ".webm", ".mka", ".wma", ".amr", ".3gp", ".ac3", ".wv", ".ape", ".tta", ".voc",
})
# fmt: on
"""By which a recording is known among other files. Decoding goes by content, not by name."""

_LIBAV_CODECS = {
    ("MP3", "MPEG_LAYER_III"): ("mp3", "libmp3lame"),
    ("M4A", "AAC"): ("ipod", "aac"),
    ("M4A", "ALAC_16"): ("ipod", "alac"),
    ("M4A", "ALAC_24"): ("ipod", "alac"),
    ("WEBM", "OPUS"): ("webm", "libopus"),
    ("OGG", "FLAC_16"): ("ogg", "flac"),
    ("OGG", "FLAC_24"): ("ogg", "flac"),
}
"""What FFmpeg writes, as (container, encoder); the rest is libsndfile's. It writes MP3 because
libsndfile spoils the tags of MP3 files that are not ASCII, and Opus whose channels are not for
loudspeakers, because libsndfile cannot be told."""

_SUFFIXES = {
    "WAV": ".wav",
    "WAVEX": ".wav",
    "RF64": ".wav",
    "W64": ".w64",
    "AIFF": ".aiff",
    "AU": ".au",
    "CAF": ".caf",
    "NIST": ".sph",
    "FLAC": ".flac",
    "OGG": ".ogg",
    "MP3": ".mp3",
    "M4A": ".m4a",
    "WEBM": ".webm",
}
# What a file of that name may be, the usual first; ``_ALIASES`` counts here too.
_NAMED = {
    **dict.fromkeys((".wav", ".wave", ".bwf"), ("WAV", "WAVEX", "RF64")),
    ".rf64": ("RF64", "WAV", "WAVEX"),
    ".w64": ("W64",),
    **dict.fromkeys((".aif", ".aiff", ".aifc"), ("AIFF",)),
    **dict.fromkeys((".au", ".snd"), ("AU",)),
    ".caf": ("CAF",),
    ".sph": ("NIST",),
    ".flac": ("FLAC",),
    **dict.fromkeys((".ogg", ".oga"), ("OGG",)),
    ".opus": ("OPUS",),
    ".mp3": ("MP3",),
    **dict.fromkeys((".m4a", ".m4b", ".mp4"), ("M4A",)),
    ".webm": ("WEBM",),
}
_ALIASES = {
    "OPUS": ("OGG", "OPUS"),
    "VORBIS": ("OGG", "VORBIS"),
    "AAC": ("M4A", "AAC"),
    "ALAC": ("M4A", "ALAC_16"),
    "AIF": ("AIFF", None),
}
# In which container a codec goes if its own cannot be written.
_CARRIERS = {"AAC": "M4A", "OPUS": "OGG", "VORBIS": "OGG", "MPEG_LAYER_III": "MP3"}
_NEAREST = {
    "PCM_S8": ("PCM_U8", "PCM_16"),
    "PCM_U8": ("PCM_S8", "PCM_16"),
    "PCM_32": ("PCM_24", "ALAC_24"),
    "PCM_24": ("ALAC_24",),
    "DOUBLE": ("FLOAT", "PCM_24", "ALAC_24"),
    "FLOAT": ("PCM_24", "ALAC_24"),
    "ALAC_20": ("PCM_24", "ALAC_24"),
    "ALAC_24": ("PCM_24",),
    "ALAC_32": ("PCM_32", "PCM_24", "ALAC_24"),
    "FLAC_24": ("PCM_24", "ALAC_24"),
}
# libsndfile lists more, and then refuses them, or writes what it cannot read.
# fmt: off
_PROVEN = {
    "PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "ALAC_16",
    "ALAC_20", "ALAC_24", "ALAC_32", "VORBIS", "OPUS", "IMA_ADPCM", "MS_ADPCM", "GSM610",
    "G721_32", "G723_24", "G723_40", "NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32",
}
# fmt: on
_USUAL = ("PCM_16", "VORBIS", "MPEG_LAYER_III", "AAC", "OPUS", "FLAC_24")

_ANY_RATE = range(1, 2**31)
_FLAC = {"FLAC", "FLAC_16", "FLAC_24"}
_RATES: dict[str, range | frozenset[int]] = {
    **dict.fromkeys(_FLAC, range(1, 655_351)),
    "WEBM": frozenset({48_000}),  # its Opus is always decoded at 48 kHz
    "VORBIS": range(1, 200_001),
    "OPUS": frozenset({8000, 12000, 16000, 24000, 48000}),
    "MPEG_LAYER_III": frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}),
    "AAC": frozenset(
        {7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000}
    ),
}
_FLAC_FINE_RATES = 65_535  # in Hz; above it in steps of 10 Hz: RFC 9639, section 9.1.2
_CHANNELS = {
    ("FLAC", None): 8,
    ("M4A", "ALAC_16"): 2,
    ("M4A", "ALAC_24"): 2,
    ("WEBM", "OPUS"): 2,
    (None, "ALAC_16"): 8,
    (None, "ALAC_20"): 8,
    (None, "ALAC_24"): 8,
    (None, "ALAC_32"): 8,
    (None, "MPEG_LAYER_III"): 2,
    (None, "AAC"): 6,
    (None, "FLAC_16"): 8,
    (None, "FLAC_24"): 8,
    (None, "VORBIS"): 255,
    (None, "OPUS"): 255,
    (None, "IMA_ADPCM"): 2,
    (None, "MS_ADPCM"): 2,
    (None, "GSM610"): 1,
    (None, "G721_32"): 1,
    (None, "G723_24"): 1,
    (None, "G723_40"): 1,
    (None, "NMS_ADPCM_16"): 1,
    (None, "NMS_ADPCM_24"): 1,
    (None, "NMS_ADPCM_32"): 1,
}
# The channel of so many that an encoder takes for a subwoofer's, and cuts off above the bass.
_BASS = {"VORBIS": {6: 5}, "OPUS": {6: 5, 7: 6, 8: 7}, "AAC": {6: 3}}
_MOST_CHANNELS = 1024  # libsndfile's own limit
_SHORT_CONTAINERS = {"AIFF", "AU"}
_WIDEST_SAMPLE = 8  # bytes


@dataclass(frozen=True, slots=True)
class Target:
    """A format to write in."""

    container: str
    subtype: str
    endian: str
    suffix: str
    """The usual one. A file whose format is kept may keep its own."""
    reason: str = ""
    """Why it is not the format of the source; empty where it is."""
    for_speakers: bool = True
    """Whether the encoder may take a channel for that of a subwoofer."""

    @property
    def libav(self) -> tuple[str, str] | None:
        """Container and encoder of FFmpeg; None for what libsndfile writes."""
        if self.subtype == "OPUS" and not self.for_speakers:
            return "ogg", "libopus"
        return _LIBAV_CODECS.get((self.container, self.subtype))


def writable_as(
    source: SourceFormat, container: str | None = None, subtype: str | None = None
) -> Target:
    """The format in which a sound from ``source`` will be written.

    Without ``container`` it is the source's own. Where that cannot be written, it is the usual
    container of the same codec (raw AAC becomes M4A), or else FLAC, or WAV for what FLAC does not
    hold; ``Target.reason`` says so. With ``container`` (``"WAV"``, ``"flac"``, ``"opus"`` …) it is
    that one, with the source's subtype or the nearest that can hold it; ``subtype`` overrides this.
    Raises ``EncodeError`` where the format asked for cannot hold the sound.
    """
    if container is not None:
        return _asked_for(source, container, subtype)
    own = source.container
    if subtype is None and not (why := obstacle(own, source.subtype, source)):
        return _target(own, source.subtype, source)
    if subtype is not None:
        return _asked_for(source, own, subtype)
    candidates = [
        (_CARRIERS.get(source.subtype, "FLAC"), source.subtype),
        ("FLAC", _nearest("FLAC", source)),
        ("WAV", _nearest("WAV", source)),
    ]
    name, nearest = next(pair for pair in candidates if not obstacle(*pair, source))
    return _target(name, nearest, source, reason=f"{why}; {name} holds it")


def writable_under(source: SourceFormat, suffix: str) -> Target:
    """The format in which a sound from ``source`` will be written to a file with that suffix.

    It is what ``writable_as`` says, if a file of that name may be that (``.wav`` may be RF64), or
    the name says nothing. Else it is what the name says; where that cannot hold the sound, the name
    is left wrong. ``Target.reason`` is empty only if it is the format of the source.
    """
    kept = writable_as(source)
    named = [_meant(name) for name in _NAMED.get(suffix.lower(), ())]
    fits = any(
        kept.container == name and subtype in {None, kept.subtype} for name, subtype in named
    )
    if fits or not named:
        return kept
    container, implied = named[0]
    subtype = implied or _nearest(container, source)
    if why := obstacle(container, subtype, source):
        return replace(kept, reason=f"{why}; {kept.reason}" if kept.reason else why)
    own = f"{source.container} ({source.subtype})"
    why = obstacle(source.container, source.subtype, source) or f"{suffix} is not for {own}"
    return _target(container, subtype, source, reason=why)


def obstacle(container: str, subtype: str, source: SourceFormat) -> str:
    """Why a sound of ``source``'s rate, channels and length cannot be written so, or ``""``."""
    name = f"{container} ({subtype})"
    if not _is_known(container, subtype):
        return f"{name} cannot be written"
    rates = _RATES.get(container) or _RATES.get(subtype, _ANY_RATE)
    is_flac = container in _FLAC or subtype in _FLAC
    coarse = is_flac and source.rate > _FLAC_FINE_RATES and source.rate % 10
    if source.rate not in rates or coarse:
        listed = (
            ", ".join(map(str, sorted(rates)))
            if isinstance(rates, frozenset)
            else (f"{rates.start} to {rates.stop - 1}")
        )
        return f"{name} takes {listed} Hz, and this is {source.rate}"
    most = min(
        _CHANNELS.get((container, None), _MOST_CHANNELS),
        _CHANNELS.get((container, subtype), _MOST_CHANNELS),
        _CHANNELS.get((None, subtype), _MOST_CHANNELS),
    )
    if source.channels > most:
        return f"{name} holds at most {most} channels, and this has {source.channels}"
    if subtype == "VORBIS" and not _is_for_speakers(subtype, source):
        return f"{name} cuts off all but the bass of the last of six channels"
    size = (source.declared_frames or 0) * source.channels * _WIDEST_SAMPLE
    if container in _SHORT_CONTAINERS and size >= 2**32:
        return f"{container} holds at most 4 GiB"
    return ""


def _asked_for(source: SourceFormat, container: str, subtype: str | None) -> Target:
    name, implied = _meant(container)
    chosen = subtype or implied or _nearest(name, source)
    if why := obstacle(name, chosen, source):
        raise EncodeError(
            f"{why}; choose FLAC or WAV, or change the sound first",
            container=name,
            subtype=chosen,
        )
    kept = (name, chosen) == (source.container, source.subtype)
    return _target(name, chosen, source, reason="" if kept else f"{name} was asked for")


def _meant(name: str) -> tuple[str, str | None]:
    """Container and, if it goes with it, subtype."""
    return _ALIASES.get(name.upper(), (name.upper(), None))


def _target(container: str, subtype: str, source: SourceFormat, *, reason: str = "") -> Target:
    suffix = ".opus" if (container, subtype) == ("OGG", "OPUS") else _SUFFIXES[container]
    endian = "FILE" if reason else source.endian
    for_speakers = _is_for_speakers(subtype, source)
    return Target(container, subtype, endian, suffix, reason, for_speakers)


def _is_for_speakers(subtype: str, source: SourceFormat) -> bool:
    """Whether no channel is lost if the encoder takes its usual one for that of a subwoofer."""
    bass = _BASS.get(subtype, {}).get(source.channels)
    return bass is None or bass == source.subwoofer


def _is_known(container: str, subtype: str) -> bool:
    if (container, subtype) in _LIBAV_CODECS:
        return True
    return (
        container in _SUFFIXES
        and subtype in _PROVEN
        and subtype in soundfile.available_subtypes(container)
    )


def _nearest(container: str, source: SourceFormat) -> str:
    """The subtype that keeps most of the source's, of those that can hold the sound if any can."""
    wanted = (source.subtype, *_NEAREST.get(source.subtype, ()), *_USUAL)
    known = [name for name in wanted if _is_known(container, name)]
    fitting = (name for name in known if not obstacle(container, name, source))
    return next(fitting, known[0] if known else source.subtype)
