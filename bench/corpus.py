"""Two corpora of noisy speech with their clean originals, that share no speaker and no noise.

    python -m bench.corpus SOURCES OUT

SOURCES is a folder that holds these archives (fetch them into it with the two commands below):

    pip download --no-deps --no-binary :all: pocketsphinx==5.1.1
    apt-get download asterisk-core-sounds-{en,fr,it,ru}-g722

OUT gets ``tune/`` and ``heldout/``, each with ``NNN.npz`` (``clean`` and ``noisy``, float32, mono,
16 kHz, aligned, at one gain) and ``index.json`` (one entry per mixture: clip, voice, noise, snr).
Everything drawn by chance is drawn from one seed.

The speech: LibriVox readings (public domain) and the prompts of the Asterisk telephone exchange
(CC-BY-SA-3.0, Russian CC-BY-3.0), recorded in studios at 16 kHz.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile

from samples import noises
from samples.noises import Samples

RATE = 16_000
SEED = 4_711
SNRS = (0.0, 5.0, 10.0, 20.0, 30.0, 60.0)  # dB; the last needs no enhancement
CLIPS_PER_VOICE = 12
# The prompts also hold comfort noise, tones and animal imitations.
_NOT_SPEECH = re.compile(r"/silence/|monkey|weasel|tone|beep|confbridge-(join|leave)")


@dataclass(frozen=True)
class Corpus:
    """Which voices and noises a corpus is made of. ``babble`` is other clips of the same voices."""

    name: str
    voices: tuple[str, ...]
    noises: tuple[str, ...]


CORPORA = (
    Corpus("tune", ("librivox", "en", "fr"), ("pink", "hum", "traffic", "babble")),
    Corpus("heldout", ("it", "ru"), ("white", "fan", "keyboard", "babble")),
)


def main() -> None:
    """Build both corpora."""
    sources, out = Path(sys.argv[1]), Path(sys.argv[2])
    for number, corpus in enumerate(CORPORA):
        build(corpus, sources, out / corpus.name, np.random.default_rng([SEED, number]))


def build(corpus: Corpus, sources: Path, out: Path, random: np.random.Generator) -> None:
    """Write the mixtures of ``corpus`` to ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    clips, talkers = [], []
    for voice in corpus.voices:
        recordings = list(_librivox(sources) if voice == "librivox" else _prompts(sources, voice))
        order = random.permutation(len(recordings))
        chosen = order[:CLIPS_PER_VOICE]
        clips += [(voice, *recordings[index]) for index in chosen]
        talkers += [recordings[index][1] for index in order[CLIPS_PER_VOICE:][:24]]
    kinds = {**noises.STEADY, "babble": noises.babble(talkers)}
    index = []
    for number, (voice, clip, clean) in enumerate(clips):
        level = 10 ** (random.uniform(-35, -18) / 20)
        scaled = clean * level / noises.active_level(clean, RATE)
        kind = corpus.noises[(number + number // len(corpus.noises)) % len(corpus.noises)]
        noise = kinds[kind](random, len(clean), RATE)
        for snr in SNRS:
            noisy, reference = noises.mix(scaled, noise, snr, rate=RATE)
            np.savez(
                out / f"{len(index):03d}.npz",
                clean=reference.astype(np.float32),
                noisy=noisy.astype(np.float32),
            )
            index.append({"clip": clip, "voice": voice, "noise": kind, "snr": snr})
    (out / "index.json").write_text(json.dumps(index, indent=0))
    print(f"{corpus.name}: {len(index)} mixtures of {len(clips)} clips")


def _librivox(sources: Path) -> Iterator[tuple[str, Samples]]:
    with tarfile.open(next(sources.glob("pocketsphinx-*.tar.gz"))) as archive:
        for member in sorted(archive.getnames()):
            if "/librivox/" in member and member.endswith(".wav"):
                file = archive.extractfile(member)
                assert file is not None
                samples, rate = soundfile.read(io.BytesIO(file.read()), dtype="float64")
                assert rate == RATE
                yield Path(member).stem, samples


def _prompts(sources: Path, language: str) -> Iterator[tuple[str, Samples]]:
    """The sentences of 3.2 to 8 s of one language's prompts, trimmed."""
    package = next(sources.glob(f"asterisk-core-sounds-{language}-g722_*.deb"))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "-x", str(package), folder], check=True)
        for path in sorted(Path(folder).rglob("*.g722")):
            # G.722 at 64 kbit/s: 8,000 bytes a second.
            if not _NOT_SPEECH.search(str(path)) and 3.2 <= path.stat().st_size / 8_000 <= 8:
                yield f"{language}-{path.stem}", _trimmed(_g722(path))


def _g722(path: Path) -> Samples:
    with av.open(str(path), format="g722") as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float64) / 32_768


def _trimmed(samples: Samples) -> Samples:
    """Without the silence at either end, but for 0.2 s."""
    frame = RATE // 100
    power = np.mean(samples[: len(samples) // frame * frame].reshape(-1, frame) ** 2, axis=1)
    active = np.flatnonzero(power > power.max() * 1e-4)
    return samples[max(0, active[0] * frame - RATE // 5) : active[-1] * frame + RATE // 5]


if __name__ == "__main__":
    main()
