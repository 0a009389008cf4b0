"""What protection costs: the pipeline against a plain loop that does the same work without it.

python -m bench.pipeline

Both decode, enhance with the engine of ``high_quality``, judge input and output with the same
meter, and encode, one thread each, over the whole recordings in samples/. The plain loop has no
retry, breaker, gate, journal, temporary name or fsync.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from bench.timing import table
from tenuto import open_journal
from tenuto.audio.codec import decode, encode
from tenuto.audio.engines import engine_for
from tenuto.audio.enhance import Enhancer
from tenuto.audio.quality import Dnsmos
from tenuto.audio.quality.excerpts import choose_excerpts, cut

ROUNDS = 5
SAMPLES = Path(__file__).parents[1] / "samples"
RECORDINGS = sorted(
    path
    for folder in ("readings", "field notes")
    for path in (SAMPLES / folder).iterdir()
    if path.suffix != ".md"
)


class Plain:
    """The loop that everybody writes first."""

    def __init__(self) -> None:
        self._meter = Dnsmos()

    def run(self, out: Path) -> None:
        for source in RECORDINGS:
            sound = decode(source)
            engine = engine_for("high_quality", sound.rate)
            enhanced = engine.enhance(sound.samples, sound.rate)
            for samples in (sound.samples, enhanced):
                for excerpt in choose_excerpts(sound.samples, sound.rate, 3):
                    self._meter.measure(cut(samples, sound.rate, excerpt))
            encode(sound.with_samples(enhanced), out / source.name)


class Protected:
    """The same by ``Enhancer``; the gate's own test can be measured as a part of it."""

    def __init__(self, journal) -> None:
        self._enhancer = Enhancer(ladder=("high_quality",), journal=journal)

    def run(self, out: Path) -> None:
        for source in RECORDINGS:
            self._enhancer.enhance(source, out / source.name)


def report() -> str:
    """The table, in Markdown."""
    audio = sum(decode(path).duration for path in RECORDINGS)
    with tempfile.TemporaryDirectory() as folder, open_journal(Path(folder) / "journal") as journal:
        ways = {"plain loop": Plain(), "protected": Protected(journal)}
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS + 1):
            for name, way in ways.items():
                started = time.process_time()
                way.run(Path(folder))
                if number:  # the first round warms up
                    times[name].append(time.process_time() - started)
    median = {name: statistics.median(found) for name, found in times.items()}
    rows = [
        (name, f"{audio / seconds:.1f}", f"{median['plain loop'] / seconds:.3f}")
        for name, seconds in median.items()
    ]
    return (
        f"{len(RECORDINGS)} recordings, {audio:.0f} s of sound, CPU time, one thread, "
        f"median of {ROUNDS} interleaved rounds.\n\n"
        + table(("", "× real time", "speed against the plain loop"), rows)
    )


if __name__ == "__main__":
    print(report())
