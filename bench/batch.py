"""What a million recordings cost beside the work itself, and whether it stays the same.

python -m bench.batch [NUMBER]

A real tree of that many files goes through the command's own machinery: found, planned, given out,
settled in the ledger, resumed. Only the workers are made up: they write an empty output, and a
seeded share of the recordings ends degraded or in quarantine. Their own time is taken off. Memory
is the resident set of the process that drives the run, the only one there is.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import zlib
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from bench.timing import table
from tenuto.batch import Batch, Plan, Summary
from tenuto.batch.executors import Answer, Ended, Task
from tenuto.batch.ledger.asking import Outcomes, Question
from tenuto.batch.ledger.ledger import LEDGER_NAME, Ledger
from tenuto.batch.ledger.lines import OUTCOMES_NAME
from tenuto.errors import FaultClass
from tenuto.journal import Outcome, OutcomeStatus

NUMBER = 1_000_000
IN_A_FOLDER = 1_000
PARTS = 10
SEED = 5
QUARANTINED, DEGRADED = 100, 300  # of 10,000
TEN_MILLION = 10_000_000


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds on the wall, and of the processor."""

    wall: float = 0.0
    cpu: float = 0.0

    @classmethod
    def now(cls) -> Spent:
        return cls(time.perf_counter(), time.process_time())

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.wall - other.wall, self.cpu - other.cpu)

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.wall + other.wall, self.cpu + other.cpu)


class Worker:
    """Ends what it is given at once, by a seeded chance."""

    places = 2

    def __init__(self) -> None:
        self.spent = Spent()
        self._tasks: deque[Task] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, task: Task) -> None:
        self._tasks.append(task)

    def kill(self) -> None:
        self._tasks.clear()

    def withdraw(self) -> list[Task]:
        return []

    def news(self) -> list[str]:
        return []

    def wait(self, timeout: float) -> list[Ended]:  # noqa: ARG002
        started = Spent.now()
        ended: list[Ended] = [_answer(self._tasks.popleft())] if self._tasks else []
        self.spent += Spent.now() - started
        return ended


def _answer(task: Task) -> Answer:
    item = task.item
    draw = zlib.crc32(f"{SEED} {item.input}".encode()) % 10_000
    content = f"{draw:032x}"
    outcome = Outcome(
        input=item.input,
        output=None if draw < QUARANTINED else item.output,
        status=OutcomeStatus.ENHANCED,
        tier="high_quality",
        quality_before=1.5,
        quality_after=3.0,
        seconds=0.5,
        audio_seconds=10.0,
        engine="deepfilternet",
    )
    if draw < QUARANTINED:
        fault = {"fault_class": FaultClass.DATA, "group": f"v1:{draw:016x}", "reason": "broken"}
        return Answer(task, _with(outcome, OutcomeStatus.QUARANTINED, **fault), content=content)
    os.makedirs(os.path.dirname(item.output), exist_ok=True)  # noqa: PTH103, PTH120 - fast
    os.close(os.open(item.output, os.O_CREAT | os.O_WRONLY))
    if draw < QUARANTINED + DEGRADED:
        outcome = _with(outcome, OutcomeStatus.DEGRADED, reason="it was repaired")
    return Answer(task, outcome, content=content)


def _with(outcome: Outcome, status: OutcomeStatus, **rest: object) -> Outcome:
    fields = {name: getattr(outcome, name) for name in Outcome.__dataclass_fields__}
    return Outcome(**{**fields, "status": status, **rest})


@dataclass(frozen=True, kw_only=True)
class Faked(Batch):
    """A batch with workers that do nothing."""

    worker: Worker = field(default_factory=Worker)

    def _executor(self, *_: object) -> Worker:
        return self.worker


class Watch:
    """A watcher that takes times and memory, ten times in a run."""

    def __init__(self, number: int, worker: Worker) -> None:
        self._step = max(1, number // PARTS)
        self._worker = worker
        self.marks: list[tuple[Spent, int]] = []
        """What the run has spent by then, without its workers, and bytes in memory."""

    def began(self, plan: Plan, summary: Summary) -> None:  # noqa: ARG002
        self._mark()

    def ended(self, outcome: Outcome, summary: Summary) -> None:  # noqa: ARG002
        if summary.ended % self._step == 0:
            self._mark()

    def noted(self, text: str) -> None: ...

    def ticked(self, summary: Summary) -> None: ...

    def _mark(self) -> None:
        self.marks.append((Spent.now() - self._worker.spent, resident()))


def resident() -> int:
    """Bytes in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def make_tree(folder: Path, number: int) -> None:
    """So many empty files."""
    for first in range(0, number, IN_A_FOLDER):
        place = folder / f"{first // IN_A_FOLDER:05}"
        place.mkdir(parents=True)
        for n in range(first, min(number, first + IN_A_FOLDER)):
            os.close(os.open(f"{place}/{n:08} recording.wav", os.O_CREAT | os.O_WRONLY))


def report(number: int = NUMBER) -> str:
    """The section of the results."""
    work = Path(tempfile.mkdtemp(prefix="tenuto-bench-"))
    try:
        make_tree(work / "in", number)
        return _measure(work, number)
    finally:
        shutil.rmtree(work)


def _measure(work: Path, number: int) -> str:
    before = resident()
    started = Spent.now()
    batch, watch = _batch(work, number)
    summary = batch.run([work / "in"], work / "out", watch)
    assert summary.ended == number, summary
    planned, at_rest = watch.marks[0]
    steps = {
        "find and plan": planned - started,
        "give out and settle": Spent.now() - batch.worker.spent - planned,
    }
    sizes = [(work / "out" / name).stat().st_size for name in (LEDGER_NAME, OUTCOMES_NAME)]

    started = Spent.now()
    batch, again = _batch(work, number)
    summary = batch.run([work / "in"], work / "out", again)
    assert summary.finished_earlier + summary.quarantined_earlier == number, summary
    steps["resume when all is finished"] = Spent.now() - started

    started = Spent.now()
    with Ledger.for_run(str(work / "out")) as ledger:
        ledger.db.execute("DELETE FROM facts WHERE name = 'lines'")  # as where one was cut short
    with Ledger.for_run(str(work / "out")) as ledger:
        ledger.tidy()
    steps["write the lines anew"] = Spent.now() - started

    started = Spent.now()
    with Outcomes(str(work / "out")) as outcomes:
        assert sum(kind.count for kind in outcomes.kinds()) == number
        found = outcomes.count(Question(status=OutcomeStatus.QUARANTINED))
    steps["count the outcomes"] = Spent.now() - started

    peak = max(memory for _, memory in (*watch.marks, *again.marks, (Spent(), resident())))
    parts = [
        (now - then, memory - at_rest)
        for (then, _), (now, memory) in zip(watch.marks, watch.marks[1:], strict=False)
    ]
    costs = table(
        ("step", "CPU each", "wall each", f"{number:,}", f"{TEN_MILLION:,}, derived"),
        [
            (
                step,
                f"{spent.cpu / number * 1e6:.1f} µs",
                f"{spent.wall / number * 1e6:.1f} µs",
                _span(spent.wall),
                _span(spent.wall * TEN_MILLION / number),
            )
            for step, spent in steps.items()
        ],
    )
    steady = table(
        ("part of the run", "CPU each", "wall each", "memory since the work began"),
        [
            (
                f"{n} of {PARTS}",
                f"{spent.cpu / number * PARTS * 1e6:.0f} µs",
                f"{spent.wall / number * PARTS * 1e6:.0f} µs",
                f"{grown / 1e6:+.1f} MB",
            )
            for n, (spent, grown) in enumerate(parts, start=1)
        ],
    )
    return (
        f"{number:,} empty files, workers that do nothing, {found:,} in quarantine. What the "
        "workers do themselves is taken off.\n\n"
        f"{costs}\n\n"
        f"On disk: {sizes[0] / number:.0f} bytes each in the ledger, {sizes[1] / number:.0f} in "
        f"`outcomes.jsonl`. Memory: {peak / 1e6:.0f} MB at most, {before / 1e6:.0f} MB of them "
        f"before anything was done, and up to 64 MB the ledger's cache.\n\n{steady}"
    )


def _batch(work: Path, number: int) -> tuple[Faked, Watch]:
    batch = Faked(ladder=("basic",), meter="none", journal=work / "journal")
    return batch, Watch(number, batch.worker)


def _span(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min"


if __name__ == "__main__":
    print(report(int(sys.argv[1]) if len(sys.argv) > 1 else NUMBER))
