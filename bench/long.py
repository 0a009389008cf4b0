"""What long recordings need: memory and time, against those of a minute.

    python -m bench.long [TIER=HOURS ...]

Speech in noise from samples/ is repeated to a recording of that length (16 kHz, FLAC, some 70 MB an
hour) in a temporary folder, and enhanced by one tier, in a process of its own that has enhanced a
minute before. Twelve hours take the medium tier a quarter of an hour of one core. Peak memory is
the most that was ever resident, mapped files included.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from bench.timing import table
from tenuto import ErrorReporter, open_journal
from tenuto.audio.enhance import Enhancer

RATE = 16_000
LENGTHS = (
    ("basic", 1.0),
    ("basic", 12.0),
    ("medium_quality", 12.0),
    ("high_quality", 3.0),
)
MINUTE = 1 / 60
GOAL = 500  # MB
READINGS = Path(__file__).parents[1] / "samples" / "readings"
_ONE_RUN = "--one-run"


def report(lengths: tuple[tuple[str, float], ...] = LENGTHS) -> str:
    """The table, in Markdown."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        minute = recording(Path(folder), MINUTE)
        for tier, hours in lengths:
            long = recording(Path(folder), hours)
            ended = subprocess.run(
                [sys.executable, "-m", "bench.long", _ONE_RUN, tier, minute, long],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            first, most, seconds = map(float, ended.stdout.split())
            rows.append(
                (
                    f"`{tier}`",
                    f"{hours:g} h",
                    f"{first:.0f} MB",
                    f"{most:.0f} MB",
                    f"{most - first:.0f} MB",
                    f"{hours * 3600 / seconds:.0f}",
                )
            )
            long.unlink()
    header = ("tier", "length", "peak after a minute of sound", "peak after all", "more")
    return (
        f"One process, 16 kHz, FLAC to FLAC, gate and meter included; goal: at most {GOAL} MB more "
        "for 12 h than for a minute. As arrays, 12 h would be 2,765 MB each way.\n\n"
        + table((*header, "× real time (CPU)"), rows)
    )


def recording(folder: Path, hours: float) -> Path:
    """A recording of that length, speech all through."""
    path = folder / f"{hours:g}.flac"
    speech = np.concatenate([_read(source) for source in sorted(READINGS.glob("*.wav"))])
    left = round(hours * 3600 * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, subtype="PCM_16") as file:
        while left:
            file.write(speech[:left])
            left -= min(left, len(speech))
    return path


def one_run(tier: str, minute: Path, long: Path) -> None:
    """Prints the peaks in MB, after a minute and after all, and the CPU seconds of the long one."""
    with open_journal(long.parent / "journal") as journal:
        reporter = ErrorReporter("bench", journal=journal, log=False)
        enhancer = Enhancer(ladder=(tier,), reporter=reporter)
        _enhance(enhancer, minute)
        first = _peak()
        started = time.process_time()
        _enhance(enhancer, long)
        print(first, _peak(), time.process_time() - started)


def _enhance(enhancer: Enhancer, source: Path) -> None:
    output = source.with_name("result.flac")
    outcome = enhancer.enhance(source, output)
    assert outcome.status == "enhanced", outcome.reason
    assert soundfile.info(output).frames == soundfile.info(source).frames
    output.unlink()


def _peak() -> float:
    """In MB, of this process so far. (``getrusage`` would count that of its parent in.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def _read(path: Path) -> np.ndarray:
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    return samples[:, 0] if rate == RATE else samples[:0, 0]


def main(arguments: list[str]) -> None:
    if arguments[:1] == [_ONE_RUN]:
        tier, minute, long = arguments[1:]
        one_run(tier, Path(minute), Path(long))
        return
    asked = tuple((tier, float(hours)) for tier, hours in (each.split("=") for each in arguments))
    print(report(asked or LENGTHS))


if __name__ == "__main__":
    main(sys.argv[1:])
