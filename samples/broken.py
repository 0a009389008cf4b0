"""The files that are wrong, one in each way a recording goes wrong in practice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from samples import noises
from samples.steady import make_steady

RATE = 16_000


def write_broken(folder: Path, clip: noises.Samples, random: np.random.Generator) -> None:
    """Write them all into ``folder``. ``clip`` is 3 s of speech at 16 kHz."""
    noise = noises.pink(random, len(clip), RATE)
    noisy, _ = noises.mix(clip, noise, 5, rate=RATE)
    _write_files_that_are_not_audio(folder)
    _write_damaged(folder, noisy, random)
    _write_odd(folder, noisy)


def _write_files_that_are_not_audio(folder: Path) -> None:
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("Minutes of the meeting, not its recording.\n")
    (folder / "notes.txt").write_text("Not a recording, and not named like one: to be ignored.\n")
    (folder / "gone.wav").symlink_to("moved to another disk.wav")
    (folder / "folder.wav").mkdir()
    (folder / "folder.wav" / "keep").touch()  # git does not keep empty folders


def _write_damaged(folder: Path, noisy: noises.Samples, random: np.random.Generator) -> None:
    for suffix, keep in (("wav", 0.6), ("flac", 0.55), ("mp3", 0.7), ("ogg", 0.6)):
        data = _save(folder / f"truncated.{suffix}", noisy)
        (folder / f"truncated.{suffix}").write_bytes(data[: int(keep * len(data))])
    for suffix in ("flac", "mp3"):
        data = bytearray(_save(folder / f"corrupt frames.{suffix}", noisy))
        for start in range(len(data) // 2, len(data) - 400, len(data) // 8):
            data[start : start + 300] = random.bytes(300)
        (folder / f"corrupt frames.{suffix}").write_bytes(data)
    data = _save(folder / "garbage header.wav", noisy)
    (folder / "garbage header.wav").write_bytes(random.bytes(44) + data[44:])


def _write_odd(folder: Path, noisy: noises.Samples) -> None:
    _save(folder / "all nan.wav", np.full(RATE, np.nan), "FLOAT")
    pierced = noisy.copy()
    pierced[[4_000, 20_000, 20_001]] = np.nan
    _save(folder / "a few nan.wav", pierced, "FLOAT")
    _save(folder / "no samples.wav", noisy[:0])
    _save(folder / "one sample.wav", noisy[:1])
    _save(folder / "silence.wav", np.zeros(2 * RATE))
    _save(folder / "one hertz.wav", noisy[:200], rate=1)
    # Two inputs for one output name, where the outputs are written in one format.
    _save(folder / "twin.wav", noisy[:RATE])
    _save(folder / "twin.flac", noisy[RATE : 2 * RATE])


def _save(
    path: Path, samples: noises.Samples, subtype: str | None = None, rate: int = RATE
) -> bytes:
    soundfile.write(path, samples, rate, subtype=subtype)
    make_steady(path)
    return path.read_bytes()
