"""Rebuild the sample recordings, byte for byte, from the ``pocketsphinx`` source package.

    python -m samples.make_samples [POCKETSPHINX_SDIST]

Without an argument the package is fetched with pip. Needs numpy, soundfile and soxr (the ``audio``
extra). What the recordings are, and who made them, is in README.md beside this file.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import soxr

from samples import noises
from samples.broken import write_broken
from samples.steady import make_steady

HERE = Path(__file__).parent
SOURCE = "pocketsphinx==5.1.1"
SEED = 20260101
CLIP_RATE = 16_000
CLIPS = {
    number: f"librivox/sense_and_sensibility_01_austen_64kb-{number}.wav"
    for number in ("0870", "0880", "0890", "0920", "0930")
}
TALKERS = ("goforward.raw", "numbers.raw", "something.raw", "cards/002.wav", "cards/005.wav")
ALBUM = {
    "artist": "A volunteer of LibriVox",
    "album": "Sense and Sensibility",
    "comment": "Noise added",
    "genre": "Speech",
}


@dataclass(frozen=True)
class Recipe:
    """One noisy recording: which clip, spoilt how, stored how."""

    path: str
    clip: str
    noise: str
    snr: float
    rate: int = 16_000
    subtype: str = "PCM_16"
    channels: int = 1
    tags: dict[str, str] = field(default_factory=dict)


RECIPES = (
    Recipe("readings/01 had then leisure.wav", "0870", "pink", 5),
    Recipe("readings/02 not an ill disposed young man.wav", "0880", "hum", 0),
    Recipe("readings/03 rather cold hearted.flac", "0890", "babble", 10, tags=ALBUM),
    Recipe("readings/04 more respectable.mp3", "0920", "fan", 5, subtype="MPEG_LAYER_III"),
    Recipe("readings/05 made amiable himself.ogg", "0930", "keyboard", 5, subtype="VORBIS"),
    Recipe("readings/06 leisure, quiet room.opus", "0870", "fan", 15, subtype="OPUS"),
    Recipe("readings/07 telephone.wav", "0880", "pink", 10, rate=8_000, subtype="ULAW"),
    Recipe("readings/08 telephone.flac", "0890", "hum", 5, rate=8_000),
    Recipe("readings/09 dictation machine.wav", "0930", "fan", 0, rate=22_050),
    Recipe("readings/10 party.mp3", "0870", "babble", 5, 22_050, "MPEG_LAYER_III", tags=ALBUM),
    Recipe("readings/11 party.ogg", "0920", "babble", 0, 44_100, "VORBIS", tags=ALBUM),
    Recipe("readings/12 studio.flac", "0880", "pink", 15, 44_100, "PCM_24"),
    Recipe("readings/13 camera.flac", "0930", "fan", 10, 48_000, channels=2),
    Recipe("readings/14 camera.wav", "0880", "keyboard", 10, 48_000),
    Recipe("readings/15 stereo.mp3", "0890", "pink", 0, 44_100, "MPEG_LAYER_III", 2),
    Recipe("readings/16 stereo.ogg", "0920", "hum", 10, 48_000, "VORBIS", 2),
    Recipe("readings/17 stereo.opus", "0870", "keyboard", 0, 48_000, "OPUS", 2),
    Recipe("readings/18 24 bit.wav", "0930", "pink", 10, subtype="PCM_24", tags=ALBUM),
    Recipe("readings/19 float.wav", "0880", "fan", 5, subtype="FLOAT"),
    Recipe("readings/20 two channels.wav", "0930", "babble", 15, channels=2),
    Recipe("field notes/café, à midi.flac", "0880", "babble", 5, tags=ALBUM),
    Recipe("field notes/Straßenlärm.ogg", "0890", "pink", 0, subtype="VORBIS"),
    Recipe("field notes/интервью 1.mp3", "0920", "keyboard", 15, subtype="MPEG_LAYER_III"),
    Recipe("field notes/会議.opus", "0930", "hum", 15, subtype="OPUS"),
    Recipe("field notes/50% & more #1.wav", "0880", "keyboard", 0, rate=8_000),
    Recipe("field notes/old tape.WAV", "0890", "hum", 0, rate=22_050, subtype="PCM_U8"),
    Recipe("field notes/lecture.flac", "0870", "fan", 0),
    Recipe("field notes/lecture.mp3", "0870", "fan", 10, subtype="MPEG_LAYER_III"),
)


def main() -> None:
    """Rebuild everything below this folder except its README and its scripts."""
    for folder in ("readings", "field notes", "broken"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
        (HERE / folder).mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        sdist = Path(sys.argv[1]) if len(sys.argv) > 1 else _download(Path(scratch))
        clips = {name: _read(sdist, path) for name, path in CLIPS.items()}
        talkers = [_read(sdist, path) for path in TALKERS]
    for number, recipe in enumerate(RECIPES):
        _write(recipe, clips[recipe.clip], talkers, np.random.default_rng([SEED, number]))
    write_broken(HERE / "broken", clips["0880"], np.random.default_rng(SEED))
    size = sum(file.stat().st_size for file in HERE.rglob("*") if file.is_file())
    print(f"{len(RECIPES)} recordings; {size / 1e6:.2f} MB in all")


def _download(folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*pip, "-d", str(folder), SOURCE], check=True)  # noqa: S603 - no outside words
    return next(folder.glob("pocketsphinx-*.tar.gz"))


def _read(sdist: Path, path: str) -> noises.Samples:
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(f"pocketsphinx-5.1.1/test/data/{path}")
        assert member is not None
        data = member.read()
    if path.endswith(".raw"):
        return np.frombuffer(data, "<i2").astype(np.float64) / 32_768
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float64")
    assert rate == CLIP_RATE
    return samples


def _write(
    recipe: Recipe,
    clip: noises.Samples,
    talkers: list[noises.Samples],
    random: np.random.Generator,
) -> None:
    clean, *voices = (soxr.resample(sound, CLIP_RATE, recipe.rate) for sound in (clip, *talkers))
    clean *= 0.08 / noises.active_level(clean, recipe.rate)
    noise = {**noises.STEADY, "babble": noises.babble(voices)}[recipe.noise]
    # Each channel has its own noise, and the second is a little quieter: a microphone further off.
    channels = [
        0.8**index
        * noises.mix(clean, noise(random, len(clean), recipe.rate), recipe.snr, rate=recipe.rate)[0]
        for index in range(recipe.channels)
    ]
    path = HERE / recipe.path
    with soundfile.SoundFile(
        path,
        "w",
        samplerate=recipe.rate,
        channels=recipe.channels,
        subtype=recipe.subtype,
        format="OGG" if path.suffix in {".ogg", ".opus"} else None,
    ) as file:
        for tag, value in {"title": path.stem, **recipe.tags}.items() if recipe.tags else ():
            setattr(file, tag, value)
        file.write(np.stack(channels, axis=1))
    make_steady(path)


if __name__ == "__main__":
    main()
