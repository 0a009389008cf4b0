"""Measure everything, and write bench/RESULTS.md.

    python -m bench

Takes about two hours of two cores: the corpora are fetched, mixed and enhanced once, in
build/bench, and kept there. Fetching needs the network and Debian's ``apt-get download``.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench import batch, budget, command, errors, fleet, long, pipeline, quality
from bench.guards.__main__ import report as guards_report

RESULTS = Path(__file__).with_name("RESULTS.md")
BUILD = Path(__file__).parents[1] / "build" / "bench"
READ_WITH_CARE = """\
Compare the figures of one table with each other: times differ
between machines, and are longer while a machine does something else."""
SOURCES, CORPORA = BUILD / "sources", BUILD / "corpora"
READINGS = ["download", "-q", "--no-deps", "--no-binary", ":all:", "pocketsphinx==5.1.1"]
PROMPTS = [f"asterisk-core-sounds-{language}-g722" for language in ("en", "fr", "it", "ru")]

SECTIONS: dict[str, tuple[str, Callable[[], str]]] = {
    "What a guard costs": ("bench.guards", guards_report),
    "What an error costs": ("bench.errors", errors.report),
    "What a fleet costs, and gets": ("bench.fleet", fleet.report),
    "What protection costs a pipeline": ("bench.pipeline", pipeline.report),
    "What the command takes": ("bench.command", command.report),
    "What long recordings need": ("bench.long", long.report),
    "What a million recordings cost": ("bench.batch", batch.report),
    "How soon a doomed run is stopped": ("bench.budget", budget.report),
    "What the tiers are worth": (
        "bench.quality build/bench/corpora",
        lambda: quality.tiers(CORPORA / "heldout"),
    ),
    "How well the gate tells harm": (
        "bench.quality build/bench/corpora",
        lambda: quality.gate(CORPORA / "heldout"),
    ),
}


def main() -> None:
    """Measure, and write."""
    prepare()
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    parts = [f"# Results\n\nBy `make bench`, {machine}. {READ_WITH_CARE}"]
    for title, (module, report) in SECTIONS.items():
        parts.append(f"## {title}\n\n`python -m {module}`\n\n{report()}")
        print(parts[-1], end="\n\n", flush=True)
    RESULTS.write_text("\n\n".join(parts) + "\n")


def prepare() -> None:
    """Fetch, mix and enhance what the quality sections look at, as far as it is not there."""
    SOURCES.mkdir(parents=True, exist_ok=True)
    if not list(SOURCES.glob("pocketsphinx-*")):
        subprocess.run([sys.executable, "-m", "pip", *READINGS, "-d", str(SOURCES)], check=True)
    if not list(SOURCES.glob("asterisk-*")):
        subprocess.run(["apt-get", "download", *PROMPTS], cwd=SOURCES, check=True)
    if not (CORPORA / "heldout" / "index.json").exists():
        _run("bench.corpus", SOURCES, CORPORA)
    _run("bench.heard", CORPORA, "heldout")


def _run(module: str, *arguments: Path | str) -> None:
    subprocess.run([sys.executable, "-m", module, *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
