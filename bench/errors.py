"""What it costs to report an error, ours beside sentry-sdk.

python -m bench.errors [--quick]

The error has 20 frames with variables. The clock runs from the call of ``report`` to its return,
raising not included; the thread that moves and tells runs all the while. Sentry's SDK hands its
events to a transport that throws them away.
"""

from __future__ import annotations

import gc
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from string import ascii_lowercase

import numpy as np
import sentry_sdk
from sentry_sdk.transport import Transport

from bench import errors_together
from bench.failing import FRAMES, failure
from bench.timing import table
from tenuto import ErrorReporter, open_journal

AT_ONCE = 25  # errors in a row, before the next way has its turn
GOALS = {"`report`, first of its kind": 200, "`report`, a repeat": 20}


def names() -> Iterator[str]:
    """Words that make every message another fault."""
    return ("".join(letters) for letters in product(ascii_lowercase, repeat=5))


class Nowhere(Transport):
    """Takes what the SDK has made, and keeps nothing."""

    taken = 0

    def capture_envelope(self, envelope: object) -> None:  # noqa: ARG002 - its base's name
        Nowhere.taken += 1


def costs(errors: int) -> str:
    """The table of what one report costs."""
    word = names()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kept, kept_full, repeated = (
            stack.enter_context(open_journal(folder / name, durability=durability))
            for name, durability in (("normal", "normal"), ("full", "full"), ("fold", "normal"))
        )
        reporters = [
            ErrorReporter("bench", journal=journal, log=False)
            for journal in (kept, kept_full, repeated)
        ]
        sentry_sdk.get_global_scope().set_client(
            sentry_sdk.Client(dsn="http://key@127.0.0.1:9/1", transport=Nowhere)
        )
        for _ in range(64):
            reporters[2].report(failure("the recording"))
        ways: dict[str, tuple[Callable[[BaseException], object], Callable[[], str], str]] = {
            "`report`, first of its kind": (reporters[0].report, lambda: next(word), "all of it"),
            "the same, `durability=full`": (
                reporters[1].report,
                lambda: next(word),
                "all of it, after an fsync",
            ),
            "`report`, a repeat": (reporters[2].report, lambda: "the recording", "its count"),
            "sentry-sdk": (sentry_sdk.capture_exception, lambda: next(word), "nothing"),
        }
        times = _times({name: way[:2] for name, way in ways.items()}, errors)
        for reporter in reporters:
            reporter.close()
        sentry_sdk.get_global_scope().set_client(None)
        # A figure for something that was not done would be worth nothing.
        assert [len(journal.events(limit=1 << 30)) for journal in (kept, kept_full)] == [errors] * 2
        assert sum(group.count for group in repeated.groups()) == errors + 64
        assert Nowhere.taken >= errors
    rows = [
        (
            name,
            f"{np.median(times[name][:, 0]):.0f}",
            f"{np.median(times[name][:, 1]):.0f}",
            f"{np.percentile(times[name][:, 1], 99):.0f}",
            f"{GOALS[name]}" if name in GOALS else "",
            ways[name][2],
        )
        for name in ways
    ]
    return table(("µs", "CPU", "wall", "wall, p99", "goal", "on disk at its return"), rows)


def _times(ways, errors):
    """Of each way, the thread's CPU time and the wall time of each report, in microseconds."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    order = list(ways.items())
    shuffle = random.Random(0).shuffle
    gc.disable()
    try:
        for _ in range(errors // AT_ONCE):
            shuffle(order)
            for name, (report, word) in order:
                for error in [failure(word()) for _ in range(AT_ONCE)]:
                    cpu, wall = time.thread_time(), time.perf_counter()
                    report(error)
                    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
                    times[name].append((cpu * 1e6, wall * 1e6))
            gc.collect()
    finally:
        gc.enable()
    return {name: np.array(found) for name, found in times.items()}


def report(*, quick: bool = False) -> str:
    """The tables, in Markdown."""
    head = (
        f"An error of {FRAMES} frames with variables, from the call to the return: medians, in "
        "rounds in which each had its turn. Sentry's SDK gives its events to a transport that "
        "throws them away."
    )
    parts = [head, costs(100 if quick else 1500), errors_together.report(quick=quick)]
    return "\n\n".join(parts)


if __name__ == "__main__":
    print(report(quick="--quick" in sys.argv))
