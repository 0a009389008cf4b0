"""What a cluster's worker does for a run, without a cluster."""

from __future__ import annotations

import functools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from distributed import Status

from tenuto.batch.executors import Answer, Halt, Task, station
from tenuto.batch.executors.wire import Undone, from_text, to_text
from tenuto.batch.plan import Item
from tenuto.batch.worker import WorkerSettings
from tenuto.capture import capture
from tenuto.journal import open_journal

GB = 1 << 30
TASK = Task(Item("/in/a.wav", "/out/a.wav"))


class Processes:
    """Stands for ``LocalWorkers``: an attempt goes on until it is told to end."""

    made = ()

    def __init__(self, settings, places):
        Processes.made = (*Processes.made, self)
        self.settings = settings
        self.state = "idle"
        self.task = None
        self.may_end = threading.Event()

    def submit(self, task):
        self.task, self.state = task, "busy"
        self.may_end.clear()

    def wait(self, timeout):
        if not self.may_end.wait(timeout):
            return []
        self.state = "idle"
        return [Answer(self.task, Halt("done"))]

    def kill(self):
        self.state = "killed"

    def __exit__(self, *_):
        self.state = "gone"


@pytest.fixture(autouse=True)
def worker(monkeypatch):
    """Dask's worker of eight threads, for which this process is taken."""
    state = SimpleNamespace(nthreads=8, tasks={"key": SimpleNamespace(state="executing")})
    dask = SimpleNamespace(
        address="tcp://x:1", status=Status.running, state=state, get_current_task=lambda: "key"
    )
    monkeypatch.setattr(station, "get_worker", lambda: dask)
    monkeypatch.setattr(station, "LocalWorkers", Processes)
    monkeypatch.setattr(station, "_stations", {})
    monkeypatch.setattr(station, "_LOOK", 0.01)
    monkeypatch.setattr(Processes, "made", ())
    return dask


@pytest.fixture
def landmark(tmp_path):
    path = tmp_path / "landmark"
    path.touch()
    return str(path)


@pytest.fixture
def settings(tmp_path):
    return WorkerSettings(("steady",), journal=str(tmp_path / "theirs"))


def attempt(run, settings, landmark, journal="j"):
    sent = (run, journal, to_text(settings), landmark, to_text(TASK), json.dumps({}))
    return from_text(station.attempt(*sent))[0]


def wait_for(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def busy():
    return [each for each in Processes.made if each.state == "busy"]


def so_many_are_busy(number):
    return len(busy()) == number


def so_many_are_done(attempts, number):
    return sum(each.done() for each in attempts) == number


def test_no_more_are_at_work_than_there_is_memory_for(settings, landmark, monkeypatch):
    monkeypatch.setattr(station, "Machine", lambda: SimpleNamespace(free=lambda: 4 * GB))
    with ThreadPoolExecutor(8) as threads:
        attempts = [threads.submit(attempt, "r", settings, landmark) for _ in range(8)]
        for number in range(8):
            wait_for(functools.partial(so_many_are_busy, min(3, 8 - number)))
            time.sleep(0.03)  # for those that should not begin
            at_work = busy()
            assert len(at_work) <= 3
            assert sum(each.settings.memory_limit for each in at_work) <= 4 * GB
            at_work[0].may_end.set()
            wait_for(functools.partial(so_many_are_done, attempts, number + 1))
    assert all(isinstance(each.result(), Answer) for each in attempts)


def test_one_that_needs_all_the_memory_is_not_kept_waiting_by_those_that_came_later():
    places, order = station._Places(2), []

    def take(name, number):
        with places.take(number, lambda: True) as taken:
            assert taken
            order.append(name)

    with places.take(1, lambda: True):
        many = threading.Thread(target=take, args=("all", 8))
        many.start()
        wait_for(lambda: places._queue)
        later = threading.Thread(target=take, args=("one", 1))
        later.start()
        wait_for(lambda: len(places._queue) == 2)
        assert order == []
    many.join()
    later.join()
    assert order == ["all", "one"]


def test_who_waits_for_memory_sees_that_the_run_has_gone():
    places, wanted = station._Places(1), [True]
    with places.take(1, lambda: True), ThreadPoolExecutor(1) as threads:
        taken = threads.submit(places.take(1, lambda: wanted[0]).__enter__)
        wait_for(lambda: places._queue)
        wanted[0] = False
        assert taken.result() is False
    with places.take(1, lambda: False) as taken_at_last:
        assert taken_at_last


def test_a_worker_that_retires_ends_what_it_has_in_hand(settings, landmark, worker):
    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(attempt, "r", settings, landmark)
        wait_for(busy)
        worker.status = Status.closing_gracefully
        time.sleep(0.1)
        (processes,) = busy()
        processes.may_end.set()
        assert ended.result().result == Halt("done")


def test_a_worker_that_closes_leaves_the_attempt_to_another_and_stops_no_run(
    settings, landmark, worker
):
    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(attempt, "r", settings, landmark)
        wait_for(busy)
        worker.status = Status.closing
        undone = ended.result()
    assert isinstance(undone, Undone)
    assert undone.why == ""
    assert [each.state for each in Processes.made] == ["gone"]


def test_a_machine_that_has_run_out_of_something_says_so_and_stops_no_run(
    settings, landmark, monkeypatch
):
    def full(*_):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Processes, "submit", full)
    undone = attempt("r", settings, landmark)
    assert isinstance(undone, Undone)
    assert undone.why == "OSError: [Errno 24] Too many open files"
    assert undone.worker == "tcp://x:1"


def test_processes_of_a_run_that_was_killed_give_way_to_those_of_the_next(
    settings, landmark, monkeypatch
):
    monkeypatch.setattr(station, "_UNUSED", 0.0)
    monkeypatch.setattr(Processes, "wait", lambda self, _: [Answer(self.task, Halt("done"))])
    for run in ("killed", "next", "next"):
        attempt(run, settings, landmark)
    first, second = Processes.made
    assert (first.state, second.state) == ("gone", "busy")
    attempt("killed", settings, landmark)  # it only waited for something: it goes on as it was
    assert len(Processes.made) == 3


def test_the_settings_are_those_of_the_run_whatever_another_with_its_journal_has(
    settings, landmark, tmp_path, monkeypatch
):
    monkeypatch.setattr(Processes, "wait", lambda self, _: [Answer(self.task, Halt("done"))])
    other = WorkerSettings(("basic",), journal=settings.journal)
    attempt("one", settings, landmark)
    attempt("two", other, landmark)
    assert [each.settings.ladder for each in Processes.made] == [("steady",), ("basic",)]
    station.leave("two", "{}")
    assert [each.state for each in Processes.made] == ["busy", "gone"]
    assert isinstance(attempt("one", settings, landmark), Answer)
    assert len(list((tmp_path / "theirs/runs").iterdir())) == 1


def test_what_is_told_at_the_end_and_does_not_arrive_is_told_the_next_run(
    settings, landmark, tmp_path, monkeypatch
):
    monkeypatch.setattr(Processes, "wait", lambda self, _: [Answer(self.task, Halt("done"))])
    monkeypatch.setattr(station, "_AT_ONCE", 2)
    attempt("one", settings, landmark)
    with open_journal(tmp_path / "theirs/runs/j") as theirs:
        for number in range(5):
            theirs.append(capture(ValueError(f"{number}")))
    assert len(from_text(station.leave("one", "{}"))) == 5  # which is lost on the way
    attempt("two", settings, landmark)
    assert len(from_text(station.leave("two", "{}"))) == 5
