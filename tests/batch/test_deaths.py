"""Engines that take their process with them, in every way there is: each ends one attempt."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tenuto.audio import output
from tenuto.batch import Batch, Item, Patience
from tenuto.batch.executors import Answer, Death, Manner, Task
from tenuto.batch.executors.local import LocalWorkers, Recycling
from tenuto.batch.judging.whereabouts import step_of
from tenuto.batch.worker import WorkerSettings
from tenuto.errors import FaultClass
from tenuto.journal import Attempt, Outcome, open_journal

from .conftest import ledger_of, record

pytestmark = pytest.mark.usefixtures("plugin")

MB = 1 << 20
LIMIT = 600.0  # seconds that a test waits at most


def workers(*ladder, recycling=None, places=1, **settings):
    return LocalWorkers(
        WorkerSettings(ladder or ("steady",), meter="none", **settings),
        places,
        recycling=recycling,
    )


def task_of(path, out, **more):
    return Task(Item(str(path), str(out / path.name)), **more)


def first_end(executor):
    """What ends next; a worker that says which bytes it is at has not ended anything."""
    ends = time.monotonic() + LIMIT
    while not (ended := executor.wait(1.0)):
        assert time.monotonic() < ends
    return ended[0]


def ends_of(tasks, executor):
    with executor:
        for task in tasks:
            executor.submit(task)
            yield first_end(executor)


def run(paths, out, *ladder, **settings):
    batch = Batch(ladder=ladder, **{"meter": "none", "jobs": 1, **settings})
    summary = batch.run([paths], out)
    assert summary.inputs == sum(summary.statuses.values()) + summary.left
    return summary


@pytest.mark.parametrize(
    ("engine", "manner", "cause"),
    [
        ("crashing", Manner.CRASHED, "killed by SIGSEGV"),
        ("overflowing", Manner.CRASHED, "killed by SIGSEGV"),
        ("aborting", Manner.CRASHED, "killed by SIGABRT"),
        ("leaving", Manner.CRASHED, "ended with status 0"),
        ("killed", Manner.KILLED, "killed by SIGKILL"),
        ("clinging", Manner.HUNG, "hung, and was ended"),
        ("gorging", Manner.STARVED, "out of memory: killed by SIGABRT"),
    ],
)
def test_how_a_worker_died_is_known(tmp_path, engine, manner, cause):
    source = record(tmp_path / "a.wav", seconds=0.3)
    patience = Patience(seconds=8.0, per_second=0.0, start=8.0)
    tasks = [task_of(source, tmp_path / "out")]
    (death,) = ends_of(tasks, workers(engine, patience=patience))
    assert isinstance(death, Death)
    assert (death.manner, death.cause) == (manner, cause)
    assert len(death.content) == 32
    if manner is not Manner.KILLED and engine != "leaving":
        assert any("odd_engines.py" in frame for frame in death.stack)


def test_a_worker_that_waits_for_a_file_is_known_to_by_its_stack(tmp_path, plugin):
    """A drive that is gone, and reads that wait for it."""
    (plugin / "sitecustomize.py").write_text(
        "import os, time\n"
        "read = os.pread\n"
        "os.pread = lambda *how: time.sleep(600) if 'STALL' in os.environ else read(*how)\n"
        "sync = os.fsync\n"
        "os.fsync = lambda *how: time.sleep(600) if 'SYNC' in os.environ else sync(*how)\n"
    )
    source = record(tmp_path / "a.wav", seconds=0.3)
    patience = Patience(seconds=3.0, per_second=0.0)
    tasks = [task_of(source, tmp_path / "out")]
    for variable, step, attempted in (("STALL", "read", None), ("SYNC", "encode", "steady")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(variable, "1")
            (death,) = ends_of(tasks, workers(patience=patience))
        assert death.manner is Manner.HUNG
        attempt = attempted and Attempt(work="a.wav", step=attempted)
        assert step_of(death, attempt) == step


def test_a_worker_that_is_killed_before_it_begins_has_touched_no_bytes(tmp_path):
    source = record(tmp_path / "a.wav")
    with workers() as executor:
        executor.submit(task_of(source, tmp_path / "out"))
        (worker,) = executor._busy.values()
        os.kill(worker.process.pid, signal.SIGKILL)
        death = first_end(executor)
        assert (death.manner, death.content) == (Manner.KILLED, "")
        executor.submit(task_of(source, tmp_path / "out"))
        assert isinstance(first_end(executor).result, Outcome)


def test_what_a_worker_was_writing_goes_with_it_and_nothing_else_does(tmp_path):
    source, out = record(tmp_path / "a.wav"), tmp_path / "out"
    out.mkdir()
    with workers() as executor:
        executor.submit(task_of(source, out))
        (worker,) = executor._busy.values()
        drafts = [out / f"{output._of(pid)}0.part" for pid in (worker.process.pid, 1)]
        for draft in drafts:
            draft.touch()
        executor.kill()
        assert [draft.exists() for draft in drafts] == [False, True]


def test_too_little_memory_costs_a_tier_and_no_worker(tmp_path):
    source = record(tmp_path / "in" / "a.wav")
    summary = run(source, tmp_path / "out", "hungry", "steady", memory_limit=900 * MB)
    assert dict(summary.tiers) == {"steady": 1}
    line = ledger_of(tmp_path / "out")["a.wav"]
    assert line["reason"].startswith("hungry: ")
    with open_journal() as journal:
        (event,) = [journal.event(error) for error in line["errors"]]
    assert event.fault_class is FaultClass.RESOURCE
    assert event.type.endswith("MemoryError")


def test_more_memory_is_asked_for_before_a_tier_is_given_up(tmp_path):
    source = record(tmp_path / "in" / "a.wav")
    summary = run(source, tmp_path / "out", "wide", "steady", jobs=2, memory_limit=900 * MB)
    assert dict(summary.tiers) == {"wide": 1}
    line = ledger_of(tmp_path / "out")["a.wav"]
    assert (line["reason"], line["attempts"], len(line["errors"])) == (None, 2, 1)


def test_a_worker_that_takes_more_than_its_share_is_ended_and_then_given_more(tmp_path):
    source = record(tmp_path / "in" / "a.wav")
    summary = run(source, tmp_path / "out", "sharing", jobs=2, memory_limit=300 * MB)
    assert dict(summary.tiers) == {"sharing": 1}
    line = ledger_of(tmp_path / "out")["a.wav"]
    assert line["reason"] is None
    with open_journal() as journal:
        (event,) = [journal.event(error) for error in line["errors"]]
    assert event.fault_class is FaultClass.RESOURCE
    assert event.details["cause"].startswith("out of memory")


def test_workers_that_keep_memory_or_are_old_give_way_to_fresh_ones(tmp_path):
    sources = [record(tmp_path / f"{n}.wav", seconds=0.2, seed=n) for n in range(4)]
    tasks = [task_of(source, tmp_path / "out") for source in sources]
    old = workers("steady", recycling=Recycling(recordings=2))
    assert all(isinstance(end, Answer) for end in ends_of(tasks, old))
    assert old._started == 2
    leaking = workers("leaking", memory_limit=700 * MB)
    assert all(isinstance(end, Answer) for end in ends_of(tasks, leaking))
    assert leaking._started == 2


def test_a_worker_that_ran_out_of_memory_and_lived_gives_way_too(tmp_path):
    sources = [record(tmp_path / f"{n}.wav", seconds=0.2, seed=n) for n in range(2)]
    tasks = [task_of(source, tmp_path / "out") for source in sources]
    hungry = workers("hungry", memory_limit=900 * MB)
    for end in ends_of(tasks, hungry):
        assert [trouble.fault for trouble in end.troubles] == [FaultClass.RESOURCE]
    assert hungry._started == 2


def test_the_same_bytes_kill_twice_and_no_more_under_whatever_name(tmp_path):
    names = [f"{n}.wav" for n in range(5)]
    for name in names:
        record(tmp_path / "in" / name)
    run(tmp_path / "in", tmp_path / "out", "aborting", "steady")
    lines = ledger_of(tmp_path / "out")
    with open_journal() as journal:
        deaths = sum(group.count for group in journal.groups() if "WorkerDied" in group.type)
    assert deaths == 2
    assert {line["tier"] for line in lines.values()} == {"steady"}
    reasons = [lines[name]["reason"] for name in names]
    assert reasons[:2] == ["aborting: killed by SIGABRT"] * 2
    assert set(reasons[2:]) == {"aborting killed 2 workers before: killed by SIGABRT"}
    run(tmp_path / "in", tmp_path / "elsewhere", "aborting", "steady")
    with open_journal() as journal:
        assert deaths == sum(g.count for g in journal.groups() if "WorkerDied" in g.type)


def test_a_fifo_hangs_nobody(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    os.mkfifo(folder / "pipe.wav")
    record(folder / "whole.wav")
    summary = run(folder, tmp_path / "out", "steady")
    assert dict(summary.statuses) == {"quarantined": 1, "enhanced": 1}
    assert "named pipe" in ledger_of(tmp_path / "out")["pipe.wav"]["reason"]
    assert json.loads((tmp_path / "out/outcomes.jsonl").read_text().splitlines()[0])
    assert Path(tmp_path / "out/whole.wav").exists()
