"""Four processes that report errors at once: how many a second, and how long one waits.

Four processes on two cores take turns: each may stand still for some milliseconds in the middle of
anything, as four processes show that do nothing but compute. So a wait is told twice: as the clock
on the wall has it, and without the time in which the thread could have run and had no core, which
the kernel tells (``/proc/…/schedstat``). What is left is what the thread waited for something else:
a lock, a disk, or the interpreter, which another thread of its process had.
"""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import product
from multiprocessing.synchronize import Barrier
from pathlib import Path
from string import ascii_lowercase

import numpy as np

from bench.failing import decode, failure
from bench.timing import table
from tenuto import ErrorReporter, open_journal
from tenuto.capture import ErrorEvent, capture
from tenuto.journal import Journal
from tenuto.journal.encoding import encode

PROCESSES = 4
TURNS = 10  # of each way to work, one after the other: what else the machine does meets both
_context = multiprocessing.get_context("spawn")


def report(*, quick: bool = False) -> str:
    """The tables, in Markdown."""
    scale = 20 if quick else 1
    parts = {
        f"**{PROCESSES} processes that report without a pause**, each of them for itself:": (
            sustained(20_000 // scale, 200_000 // scale)
        ),
        f"**How long an append lasts while {PROCESSES} processes do nothing else**, in "
        "milliseconds; goal: none beyond 5 for a reason of its own. A wait is told by the clock on "
        "the wall, and without the time in which the thread could have run and had no core.": (
            stalls(80_000 // scale)
        ),
        f"**A pipeline in a storm**: {PROCESSES} processes, and each item of work fails with the "
        "same error of 20 frames. Its speed with the errors reported, against the same work with "
        "the errors thrown away; goal 0.90.": pipeline(600 // scale, 3 if quick else 5),
    }
    return "\n\n".join(part for pair in parts.items() for part in pair)


# How many a second


def sustained(whole: int, repeats: int) -> str:
    """Errors of ever new kinds, kept whole; and repeats of one."""
    rows = []
    for title, count, work in (
        ("each of a new kind, kept whole", whole, _report_new),
        ("all alike, counted", repeats, _report_alike),
    ):
        with tempfile.TemporaryDirectory() as folder:
            begun, ended = zip(*_together(work, folder, count // PROCESSES), strict=True)
            with open_journal(folder) as journal:
                kept = sum(group.count for group in journal.groups())
        rate = count / (max(ended) - min(begun))
        rows.append((title, f"{count}", f"{rate:.0f}", f"{kept}"))
        assert kept == count, "something was lost"
    return table(("", "errors", "a second", "in the journal"), rows)


def _report_new(folder: str, worker: int, count: int) -> tuple[float, float]:
    words = product(ascii_lowercase, repeat=4)
    named = ("".join((ascii_lowercase[worker], *letters)) for letters in words)
    return _report(folder, [failure(next(named)) for _ in range(count)])


def _report_alike(folder: str, _worker: int, count: int) -> tuple[float, float]:
    return _report(folder, [failure("the recording") for _ in range(count)])


def _report(folder: str, errors: list[ValueError]) -> tuple[float, float]:
    journal = Journal(folder)
    reporter = ErrorReporter("bench", journal=journal, log=False)
    _wait_for_the_others()
    begun = time.monotonic()
    for error in errors:
        reporter.report(error)
    journal.flush()
    ended = time.monotonic()
    reporter.close()
    journal.close()
    return begun, ended


# How long one waits


def stalls(calls: int) -> str:
    """Appends, nothing but computing, and appends to a file that all share."""
    ways = {
        "computing only": _compute,
        "`append`": _append,
        "`append`, and a thread that moves": _append_and_move,
        "one SQLite file shared by all": _append_shared,
    }
    rows = []
    for title, work in ways.items():
        with tempfile.TemporaryDirectory() as folder:
            times = np.concatenate(_together(work, folder, calls // PROCESSES)) / 1e6
        wall, waited = times.T
        shown = [*np.percentile(wall, [50, 99, 99.9]), wall.max()]
        shown += [*np.percentile(waited, [99.9, 99.99]), waited.max()]
        rows.append((title, *(f"{value:.2f}" for value in shown)))
    wall_names = ("wall: p50", "p99", "p99.9", "longest")
    return table(("", *wall_names, "with a core: p99.9", "p99.99", "longest"), rows)


def _event() -> ErrorEvent:
    return capture(failure("the recording"))


def _compute(_folder: str, _worker: int, calls: int) -> np.ndarray:
    event = _event()
    return _timed(lambda: encode(event.to_dict()), calls)


def _append(folder: str, _worker: int, calls: int) -> np.ndarray:
    event = _event()
    with Journal(folder) as journal:
        journal.append(event)
        return _timed(lambda: journal.append(event), calls)


def _append_and_move(folder: str, _worker: int, calls: int) -> np.ndarray:
    event = _event()
    with Journal(folder) as journal:
        reporter = ErrorReporter("bench", journal=journal, log=False)
        reporter.report(ValueError("the first, with which the thread begins"))
        times = _timed(lambda: journal.append(event), calls)
        reporter.close()
    return times


def _append_shared(folder: str, worker: int, calls: int) -> np.ndarray:
    db = sqlite3.connect(Path(folder, "shared.db"), isolation_level=None, timeout=60)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("CREATE TABLE IF NOT EXISTS records (worker INTEGER, body TEXT NOT NULL)")
    event = _event()

    def append() -> None:
        db.execute("INSERT INTO records VALUES (?, ?)", (worker, encode(event.to_dict())))

    times = _timed(append, calls)
    db.close()
    return times


def _timed(call: Callable[[], object], calls: int) -> np.ndarray:
    """Nanoseconds of each call: on the wall, and of those the ones it waited with a core to have.

    From https://docs.kernel.org/scheduler/sched-stats.html: the second number of a task's schedstat
    is the time it spent waiting on a run queue.
    """
    told = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)

    def queued() -> int:
        return int(os.pread(told, 80, 0).split()[1])

    times = np.empty((calls, 2))
    _wait_for_the_others()
    for number in range(calls):
        queue, cpu, wall = queued(), time.thread_time_ns(), time.perf_counter_ns()
        call()
        wall, cpu = time.perf_counter_ns() - wall, time.thread_time_ns() - cpu
        times[number] = wall, max(0, wall - cpu - (queued() - queue))
    os.close(told)
    return times


# What a storm takes from a pipeline


def pipeline(items: int, rounds: int) -> str:
    """Items of work with and without a report, in turns."""
    found = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            seconds = np.array(_together(_work, folder, items))  # processes, ways, clocks
            with open_journal(folder) as journal:
                assert sum(group.count for group in journal.groups()) == items * PROCESSES
        found.append(seconds.mean(axis=0))
    without, reported = np.array(found).transpose(1, 0, 2)
    speed = without / reported
    item = (
        f"{np.median(without[:, 0]) / items * 1e3:.1f} ms of CPU: two seconds of 16 kHz, denoised"
    )
    shown = [f"{np.median(each):.3f} ({each.min():.3f} to {each.max():.3f})" for each in speed.T]
    return table(("an item of work", "speed by CPU time", "by wall time"), [(item, *shown)])


def _work(folder: str, _worker: int, items: int) -> np.ndarray:
    """CPU and wall seconds for ``items`` whose errors are thrown away, and with them reported."""
    noisy = np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
    journal = Journal(folder)
    reporter = ErrorReporter("bench", journal=journal, log=False)

    def measure(handle: Callable[[BaseException], object]) -> tuple[float, float]:
        _wait_for_the_others()
        cpu, wall = time.process_time(), time.monotonic()
        for _ in range(items // TURNS):
            enhance(noisy)
            try:
                decode(20, "the recording", {"rate": 16_000})
            except ValueError as error:
                handle(error)
        return time.process_time() - cpu, time.monotonic() - wall

    ways = (lambda _: None, reporter.report)
    times = [[measure(way) for way in ways] for _ in range(TURNS)]
    reporter.close()
    journal.close()
    return np.sum(times, axis=0)


def enhance(noisy: np.ndarray) -> np.ndarray:
    """Spectral subtraction, as a pipeline's cheapest step would be."""
    frames = np.lib.stride_tricks.sliding_window_view(noisy, 512)[::128] * np.hanning(512)
    spectrum = np.fft.rfft(frames)
    power = np.abs(spectrum) ** 2
    gain = np.maximum(1 - np.quantile(power, 0.2, axis=0) / np.maximum(power, 1e-12), 0.1)
    out = np.zeros_like(noisy)
    for number, frame in enumerate(np.fft.irfft(spectrum * gain)):
        out[number * 128 : number * 128 + 512] += frame
    return out


# Processes


def _together(work: Callable[..., object], folder: str, count: int) -> list:
    """What ``work`` gives in each of the processes, which begin together."""
    barrier = _context.Barrier(PROCESSES)
    with _context.Pool(PROCESSES, _begin, (barrier,)) as pool:
        asked = [pool.apply_async(_call, (work, folder, n, count)) for n in range(PROCESSES)]
        return [each.get() for each in asked]


_barrier: Barrier | None = None


def _begin(barrier: Barrier) -> None:
    global _barrier  # noqa: PLW0603 - a pool's workers have no other way to be given one
    _barrier = barrier


def _wait_for_the_others() -> None:
    assert _barrier is not None
    _barrier.wait()


def _call(work: Callable[..., object], folder: str, worker: int, count: int) -> object:
    return work(folder, worker, count)
