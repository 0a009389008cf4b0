"""What protection costs: the pipeline against a plain loop that does the same work without it.

python -m bench.pipeline

All decode, enhance with the engine of ``high_quality``, judge input and output with the same meter,
and encode, one thread each, over the whole recordings in samples/. The plain loop has no retry,
breaker, gate, journal, temporary name or fsync. The gate is measured by itself as well: the plain
loop, with its comparison of input and output in place of the meter alone.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.timing import table
from tenuto import ErrorReporter, open_journal
from tenuto.audio.codec import decode, encode
from tenuto.audio.engines import engine_for
from tenuto.audio.enhance import Enhancer
from tenuto.audio.quality import Dnsmos, Gate
from tenuto.audio.quality.excerpts import Excerpts, choose_excerpts
from tenuto.audio.sound import Samples
from tenuto.audio.survey import survey_of
from tenuto.journal import Journal

ROUNDS = 5
TIER = "high_quality"
TIERS = (TIER, "medium_quality", "basic")
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

    def run(self, out: Path, recordings: Sequence[Path] = RECORDINGS) -> None:
        for source in recordings:
            sound = decode(source)
            enhanced = engine_for(TIER, sound.rate).enhance(sound.samples, sound.rate)
            self.judge(sound.samples, enhanced, sound.rate)
            encode(sound.with_samples(enhanced), out / source.name)

    def judge(self, before: Samples, after: Samples, rate: int) -> None:
        slices = choose_excerpts(survey_of(before, rate))
        for samples in (before, after):
            excerpts = Excerpts(slices)
            excerpts.see(samples)
            for heard in excerpts.heard(rate):
                self._meter.measure(heard)


class Gated(Plain):
    """The same loop, judging by the gate."""

    def __init__(self) -> None:
        self._gate = Gate()

    def judge(self, before: Samples, after: Samples, rate: int) -> None:
        self._gate.judge(before, after, rate)


class Protected:
    """Everything: breaker, retry, gate, journal, temporary names, fsync."""

    def __init__(self, journal: Journal, tier: str = TIER) -> None:
        reporter = ErrorReporter("bench", journal=journal, log=False)
        self._enhancer = Enhancer(ladder=(tier,), reporter=reporter)

    def run(self, out: Path) -> None:
        for source in RECORDINGS:
            self._enhancer.enhance(source, out / source.name)


def report() -> str:
    """The tables, in Markdown."""
    audio = sum(decode(path).duration for path in RECORDINGS)
    with tempfile.TemporaryDirectory() as folder, open_journal(Path(folder, "journal")) as journal:
        ways = {"plain loop": Plain(), "plain loop with the gate": Gated()}
        ways["protected"] = Protected(journal)
        times = _times(ways, Path(folder))
        tiers = _times({tier: Protected(journal, tier) for tier in TIERS}, Path(folder))
    rows = [
        (name, f"{audio / seconds:.1f}", f"{times['plain loop'] / seconds:.3f}")
        for name, seconds in times.items()
    ]
    of_tiers = [(f"`{tier}`", f"{audio / seconds:.1f}") for tier, seconds in tiers.items()]
    return (
        f"{len(RECORDINGS)} recordings, {audio:.0f} s of sound, CPU time, one thread, "
        f"median of {ROUNDS} interleaved rounds.\n\n"
        + table(("", "× real time", "speed against the plain loop"), rows)
        + "\n\nAll of it, protected, by the tier that does the work:\n\n"
        + table(("tier", "× real time"), of_tiers)
    )


@contextmanager
def decoders_are_silent() -> Iterator[None]:
    """What native decoders write to standard error about damaged samples is thrown away."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _times(ways: Mapping[str, Plain | Protected], out: Path) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        for name, way in ways.items():
            started = time.process_time()
            with decoders_are_silent():
                way.run(out)
            if number:  # the first round warms up
                times[name].append(time.process_time() - started)
    return {name: statistics.median(found) for name, found in times.items()}


if __name__ == "__main__":
    print(report())
