"""What the command costs from its start to its end, against a loop, and against an engine's tool.

    python -m bench.command

The loop is the plain one of bench.pipeline: the same decoding, engine, meter and encoding, one
recording after the other, in a process that is warm. ``tenuto enhance`` is started anew, and with
its own defaults: a worker for each core.

RNNoise comes with a tool for the command line, ``rnnoise_demo``. Where it is on the path (built
from RNNoise's source and, for a fair comparison, linked with the library of the same ``pyrnnoise``)
it is compared as well, with raw samples as input and output, which is all that it takes.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import soundfile
import soxr

from bench.pipeline import RECORDINGS, Plain, decoders_are_silent
from bench.timing import table
from tenuto.audio.codec import decode

COPIES = 4
ROUNDS = 2
MINUTES = 10
RATE = 48_000
TENUTO = [sys.executable, "-m", "tenuto", "enhance", "--quiet"]
TOOL = shutil.which("rnnoise_demo")


def report() -> str:
    """The tables, in Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        return f"{_against_the_loop(Path(folder))}\n\n{_against_the_tool(Path(folder))}"


def _against_the_loop(folder: Path) -> str:
    recordings = _copies(folder / "in")
    seconds = COPIES * sum(decode(path).duration for path in RECORDINGS)
    plain = Plain()
    plain.run(folder, recordings[:1])  # it loads its models
    times = _times(
        {
            "plain loop": lambda out: plain.run(out, recordings),
            "`tenuto enhance --jobs 1`": lambda out: _tenuto(folder / "in", out, "--jobs", "1"),
            "`tenuto enhance`": lambda out: _tenuto(folder / "in", out),
        },
        folder,
    )
    return (
        f"{len(recordings)} recordings, {seconds:.0f} s of sound, by the clock on the wall, means "
        f"of {ROUNDS} interleaved rounds; {os.cpu_count()} cores; goal 1.8.\n\n"
        + _table(times, seconds)
    )


def _against_the_tool(folder: Path) -> str:
    if TOOL is None:
        return "`rnnoise_demo` is not here, and was left out."
    sound = decode(RECORDINGS[0])
    samples = soxr.resample(sound.samples[:, 0], sound.rate, RATE)
    samples = np.tile(samples, -(-MINUTES * 60 * RATE // len(samples)))[: MINUTES * 60 * RATE]
    wav, raw = folder / "long.wav", folder / "long.raw"
    soundfile.write(wav, samples, RATE, subtype="PCM_16")
    (samples * 32_767).astype(np.int16).tofile(raw)
    ours = ("--ladder", "medium", "--meter", "none")
    times = _times(
        {
            "`rnnoise_demo`": lambda out: _run([TOOL, raw, out / "long.raw"]),
            f"`tenuto enhance {' '.join(ours)}`": lambda out: _tenuto(wav, out, *ours),
        },
        folder,
    )
    return (
        f"One recording of {MINUTES} minutes at 48 kHz, by RNNoise: its own tool against the "
        "command, gate included.\n\n" + _table(times, MINUTES * 60)
    )


def _copies(folder: Path) -> list[Path]:
    """Several of every recording."""
    copies = []
    for number in range(COPIES):
        into = folder / str(number)
        into.mkdir(parents=True)
        copies += [Path(shutil.copy(path, into)) for path in RECORDINGS]
    return copies


def _times(ways: Mapping[str, Callable[[Path], object]], folder: Path) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            with tempfile.TemporaryDirectory(dir=folder) as out:
                started = time.perf_counter()
                with decoders_are_silent():
                    way(Path(out))
                times[name].append(time.perf_counter() - started)
    return {name: statistics.fmean(found) for name, found in times.items()}


def _tenuto(source: Path, out: Path, *options: str) -> None:
    _run([*TENUTO, source, "-o", out / "out", "--journal", out / "journal", *options])


def _run(command: list[str | Path]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _table(times: Mapping[str, float], seconds: float) -> str:
    first = next(iter(times.values()))
    rows = [
        (name, f"{taken:.1f} s", f"{seconds / taken:.1f}", f"{first / taken:.2f}")
        for name, taken in times.items()
    ]
    return table(("", "takes", "× real time", "speed against the first"), rows)


if __name__ == "__main__":
    print(report())
