"""Worker processes on this machine, where there is too little of something."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tenuto.batch import Item
from tenuto.batch.executors import Answer, Halt, Task, descriptors, local
from tenuto.batch.executors.local import LocalWorkers
from tenuto.batch.worker import WorkerSettings
from tenuto.clock import SimulatedClock

from .conftest import record

pytestmark = pytest.mark.usefixtures("plugin")

MB = 1 << 20


def tasks_of(tmp_path, count):
    paths = [record(tmp_path / f"{n}.wav", seconds=0.2, seed=n) for n in range(count)]
    return [Task(Item(str(path), str(tmp_path / "out" / path.name))) for path in paths]


def ends(executor, count):
    found, until = [], time.monotonic() + 300
    while len(found) < count:
        assert time.monotonic() < until
        found += executor.wait(1.0)
    return found


@pytest.fixture
def crowded(monkeypatch):
    """``crowded(most)``: no more than so many workers can be started at once."""

    def build(most):
        def start(self):
            if len(self._busy) + len(self._idle) >= most:
                raise OSError(24, "Too many open files")
            return real(self)

        real = LocalWorkers._start
        monkeypatch.setattr(LocalWorkers, "_start", start)

    return build


def test_where_no_more_workers_can_be_started_those_there_are_go_on(tmp_path, crowded):
    crowded(1)
    clock = SimulatedClock()
    with LocalWorkers(WorkerSettings(("steady",), meter="none"), 4, clock=clock) as executor:
        tasks = tasks_of(tmp_path, 2)
        for task in tasks:
            executor.submit(task)
        assert executor.places == 1
        assert all(isinstance(each, Answer) for each in ends(executor, 2))
        assert executor.news() == ["No more than 1 workers can be started: Too many open files."]
        for task in tasks:
            executor.submit(task)
        assert executor.news() == []
        ends(executor, 2)
        clock.advance(61.0)
        assert executor.places == 4


def test_what_waits_for_a_worker_is_taken_back_when_the_run_is_to_end(tmp_path, crowded):
    crowded(1)
    with LocalWorkers(WorkerSettings(("steady",), meter="none"), 4) as executor:
        one, two = tasks_of(tmp_path, 2)
        executor.submit(one)
        executor.submit(two)
        assert executor.withdraw() == [two]
        assert [each.task for each in ends(executor, 1)] == [one]


def test_where_not_even_one_can_be_started_the_run_is_told(tmp_path, crowded):
    crowded(0)
    with LocalWorkers(WorkerSettings(("steady",), meter="none"), 4) as executor:
        (task,) = tasks_of(tmp_path, 1)
        with pytest.raises(OSError, match="Too many open files"):
            executor.submit(task)
        executor._held.append(task)  # as if the last worker had died since
        (end,) = executor.wait(0.0)
        assert end.result == Halt("no worker process can be started: Too many open files")


FEW_FILES = """
import resource, sys
from tenuto.batch import Batch

if __name__ == "__main__":
    soft, hard = (int(each) for each in sys.argv[1:3])
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    batch = Batch(ladder=("steady",), meter="none", jobs=9, memory_limit=300_000_000, reserve=0)
    summary = batch.run(sys.argv[4:], sys.argv[3])
    print(summary.stopped, summary.statuses["enhanced"])
"""


@pytest.mark.parametrize("limits", [("28", "400"), ("36", "36")], ids=["soft", "hard"])
def test_a_limit_of_open_files_stops_no_run(tmp_path, limits):
    script = tmp_path / "few_files.py"
    script.write_text(FEW_FILES)
    inputs = [task.item.input for task in tasks_of(tmp_path, 10)]
    command = [sys.executable, script, *limits, tmp_path / "out", *inputs]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert (ran.returncode, ran.stdout) == (0, "None 10\n"), ran.stderr


def test_the_limit_is_raised_as_far_as_it_may_be(monkeypatch):
    limits = []
    monkeypatch.setattr(descriptors.resource, "setrlimit", lambda _, both: limits.append(both))
    endless = resource.RLIM_INFINITY
    for both in ((1024, 4096), (1024, endless), (endless, endless), (4096, 4096)):
        monkeypatch.setattr(descriptors.resource, "getrlimit", lambda _, both=both: both)
        descriptors.allow_many()
    assert limits == [(4096, 4096), (1 << 16, endless)]


def test_what_a_worker_needs_to_be_ready_is_not_held_against_it(tmp_path, monkeypatch):
    """With all engines and the meter it rests at 269 MB: more than half of 500 MB."""
    resting = iter([269 * MB, 270 * MB, 290 * MB, 400 * MB, 269 * MB])
    monkeypatch.setattr(local, "resident", lambda _: next(resting))
    monkeypatch.setattr(LocalWorkers, "_watch", lambda self: None)
    settings = WorkerSettings(("steady",), meter="none", memory_limit=500 * MB)
    started = []
    with LocalWorkers(settings, 1) as executor:
        for task in tasks_of(tmp_path, 5):
            executor.submit(task)
            ends(executor, 1)
            started.append(executor._started)
    assert started == [1, 1, 1, 1, 2]
    assert Path(tmp_path / "out/4.wav").exists()
