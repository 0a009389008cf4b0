"""Which tags survive in which format: what docs/enhance.md says under "What is kept of a file"."""

from __future__ import annotations

import pytest

from tenuto.audio.codec import encode, probe
from tenuto.audio.sound import Sound, SourceFormat

from .broken import tone

NAMES = (
    "title", "artist", "album", "comment", "date", "genre", "copyright", "license", "tracknumber",
)  # fmt: skip
NUMBERS = {"date": "2024", "tracknumber": "7"}
AIFF = {"title", "artist", "comment"}


@pytest.mark.parametrize(
    ("container", "subtype", "lost"),
    [
        ("FLAC", "PCM_16", ()), ("OGG", "VORBIS", ()), ("OGG", "OPUS", ()), ("OGG", "FLAC_16", ()),
        ("MP3", "MPEG_LAYER_III", ()), ("WEBM", "OPUS", ()), ("CAF", "PCM_16", ()),
        ("WAV", "PCM_16", {"license"}), ("RF64", "PCM_16", {"license"}),
        ("M4A", "AAC", {"license"}), ("AIFF", "PCM_16", set(NAMES) - AIFF - {"copyright"}),
        ("W64", "PCM_16", NAMES), ("AU", "PCM_16", NAMES), ("NIST", "PCM_16", NAMES),
    ],
)  # fmt: skip
def test_the_tags_that_are_promised_are_kept(container, subtype, lost, tmp_path):
    path = tmp_path / "written"
    tags = {name: NUMBERS.get(name, f"{name} of Ünö") for name in NAMES}
    tags["copyright"] = "nobody"
    source = SourceFormat(container, subtype, 48_000, 1, tags=tags)
    encode(Sound(tone(0.1, 48_000), 48_000, source), path)
    found = {name: text for name, text in probe(path).tags.items() if name in NAMES}
    assert found == {name: text for name, text in tags.items() if name not in lost}
