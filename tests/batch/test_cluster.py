"""The same work on a cluster: same ends, whatever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tenuto.batch import Batch
from tenuto.batch.enhancing import Silent
from tenuto.batch.executors import Answer, Death, Halt, Task
from tenuto.batch.executors.cluster import ClusterWorkers, check_address
from tenuto.batch.executors.wire import Undone, from_text, to_text
from tenuto.batch.plan import Item
from tenuto.batch.worker import WorkerSettings
from tenuto.errors import ConfigurationError
from tenuto.journal import open_journal

from .conftest import ledger_of, record
from .dask_servers import START, DaskServers

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def dask(tmp_path):
    servers = DaskServers(tmp_path)
    yield servers
    servers.end()


@pytest.fixture
def gate(tmp_path, monkeypatch):
    """Where the engine ``gated`` waits; ``touch`` it to let it go on."""
    path = tmp_path / "gate"
    monkeypatch.setenv("TENUTO_TEST_GATE", str(path))
    return path


@pytest.fixture
def join(tmp_path, private_journal):
    """Join a cluster, with a landmark in the output folder, and a journal for the workers."""
    landmark = tmp_path / "out" / ".landmark"
    landmark.parent.mkdir()
    landmark.touch()
    journal = open_journal(private_journal)

    def build(address, *ladder, workers_journal=tmp_path / "theirs", journal=journal, **settings):
        work = WorkerSettings(
            ladder=ladder or ("steady",), meter="none", journal=str(workers_journal)
        )
        return ClusterWorkers(address, work, journal, landmark=landmark, **settings)

    yield build
    journal.close()


def task(tmp_path, name="a.wav", **settings):
    path = tmp_path / name
    if not path.exists() and not settings:
        record(path)
    return Task(Item(str(path), str(tmp_path / "out" / name)), **settings)


def all_of(workers, count):
    """The ends of ``count`` attempts."""
    ended, until = [], time.monotonic() + START * 2
    while len(ended) < count:
        assert time.monotonic() < until, f"only {ended}"
        ended += workers.wait(0.2)
    assert len(ended) == count
    return ended


def wait_for(condition):
    until = time.monotonic() + START
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def at_work(gate, count=1):
    """Wait until an engine is at work for the ``count``th time."""
    waiting = gate.with_name("gate.waiting")
    wait_for(lambda: waiting.exists() and len(waiting.read_text().split()) >= count)


def drafts(tmp_path):
    return list((tmp_path / "out").glob(".tenuto-*.part"))


def test_a_cluster_of_ones_own_does_the_work_and_its_errors_come_home(join, tmp_path):
    record(tmp_path / "a.wav")
    (tmp_path / "bad.wav").write_text("words, words, words")
    with join("local", jobs=2) as workers:
        wait_for(lambda: workers.places == 2)
        workers.submit(task(tmp_path, "a.wav"))
        workers.submit(task(tmp_path, "bad.wav"))
        results = {e.task.item.input: e.result for e in all_of(workers, 2)}
    assert results[str(tmp_path / "a.wav")].status == "enhanced"
    assert (tmp_path / "out/a.wav").exists()
    (error,) = results[str(tmp_path / "bad.wav")].errors
    with open_journal() as journal:
        assert "is text" in journal.event(error).message
        assert len(journal.outcomes()) == 2


def test_what_a_journal_of_a_machine_held_before_does_not_come_along(join, tmp_path):
    (tmp_path / "bad.wav").write_text("words, words, words")
    for run in (1, 2):
        with join("local", jobs=1) as workers:
            workers.submit(task(tmp_path, "bad.wav"))
            all_of(workers, 1)
        with open_journal() as journal:
            assert sum(group.count for group in journal.groups()) == run
    with open_journal() as other, open_journal(tmp_path / "third") as third:
        assert other.identity() != third.identity()


def test_of_two_runs_on_one_cluster_each_is_told_of_its_own_errors_only(join, dask, tmp_path):
    dask.start_scheduler()
    dask.start_worker()
    for name in ("bad.wav", "worse.wav"):
        (tmp_path / name).write_text("words, words, words")
    with open_journal(tmp_path / "another") as another, open_journal() as journal:
        one, two = join(dask.address), join(dask.address, journal=another)
        with one, two:
            for workers, name in ((one, "bad.wav"), (two, "worse.wav"), (one, "a.wav")):
                workers.submit(task(tmp_path, name))
                all_of(workers, 1)
        for told, names in ((journal, ["a.wav", "bad.wav"]), (another, ["worse.wav"])):
            assert sorted(Path(each.input).name for each in told.outcomes()) == names
            assert sum(group.count for group in told.groups()) == 1


def test_of_two_runs_that_keep_one_journal_each_has_its_own_ladder_and_its_own_end(
    join, dask, gate, tmp_path
):
    dask.start_scheduler()
    dask.start_worker()
    gate.touch()
    (tmp_path / "bad.wav").write_text("words, words, words")
    tiers = []

    def work(workers, name):
        workers.submit(task(tmp_path, name))
        (ended,) = all_of(workers, 1)
        tiers.append(ended.result.tier)

    with join(dask.address, "gated") as one:
        with join(dask.address, "steady") as two:
            work(one, "a.wav")
            work(two, "b.wav")
            work(one, "bad.wav")
            two._client.close()  # it is killed
        with join(dask.address, "steady") as three:
            work(three, "c.wav")
        work(one, "d.wav")
    assert tiers == ["gated", "steady", None, "steady", "gated"]
    with open_journal() as journal:
        names = sorted(Path(each.input).name for each in journal.outcomes())
        assert names == ["a.wav", "b.wav", "bad.wav", "c.wav", "d.wav"]
        assert sum(group.count for group in journal.groups()) == 1


def test_workers_that_share_the_journal_of_the_run_send_nothing_twice(
    join, tmp_path, private_journal
):
    (tmp_path / "bad.wav").write_text("words, words, words")
    with join("local", jobs=1, workers_journal=private_journal) as workers:
        workers.submit(task(tmp_path, "bad.wav"))
        all_of(workers, 1)
    with open_journal() as journal:
        assert [group.count for group in journal.groups()] == [1]


def test_a_crash_in_native_code_leaves_the_worker_of_the_cluster_alive(join, tmp_path):
    with join("local", "crashing", jobs=1) as workers:
        for _ in range(2):
            workers.submit(task(tmp_path))
        deaths = all_of(workers, 2)
        assert [type(each) for each in deaths] == [Death, Death]
        assert {each.cause for each in deaths} == {"killed by SIGSEGV"}


def test_an_attempt_whose_worker_is_killed_is_made_by_another(join, dask, gate, tmp_path):
    dask.start_scheduler()
    first = dask.start_worker()
    with join(dask.address, "gated") as workers:
        workers.submit(task(tmp_path))
        at_work(gate)
        first.kill()
        wait_for(lambda: not drafts(tmp_path))
        dask.start_worker()
        at_work(gate, 2)
        gate.touch()
        (ended,) = all_of(workers, 1)
        assert ended.result.status == "enhanced"


def test_a_scheduler_that_is_killed_is_waited_for(join, dask, gate, tmp_path):
    dask.start_scheduler()
    dask.start_worker()
    with join(dask.address, "gated") as workers:
        workers.submit(task(tmp_path))
        at_work(gate)
        dask.scheduler.kill()
        dask.scheduler.wait()
        assert workers.wait(0.2) == []
        assert workers.places >= 1
        dask.start_scheduler()
        dask.start_worker()
        gate.touch()
        (ended,) = all_of(workers, 1)
        assert ended.result.status == "enhanced"


@pytest.mark.parametrize("gone", [OSError("reset"), CancelledError(), TimeoutError()], ids=repr)
def test_an_answer_that_is_lost_on_the_way_is_asked_for_again(join, tmp_path, monkeypatch, gone):
    with join("local", jobs=1) as workers:
        lost = []

        def fetched(future, timeout):
            if not lost:
                lost.append(future)
                raise gone
            return result(future, timeout)

        result = type(workers._client.submit(int, 1)).result
        monkeypatch.setattr("distributed.Future.result", fetched)
        workers.submit(task(tmp_path))
        (ended,) = all_of(workers, 1)
        assert len(lost) == 1
        assert ended.result.status == "enhanced"


def test_an_answer_of_another_version_stops_the_run(join, tmp_path, monkeypatch):
    with join("local", jobs=1) as workers:
        monkeypatch.setattr("distributed.Future.result", lambda *_: '{"is": "Surprise"}')
        workers.submit(task(tmp_path))
        (ended,) = all_of(workers, 1)
        monkeypatch.undo()
        assert "have the same tenuto on all machines" in ended.result.reason


@pytest.fixture
def undone(monkeypatch):
    """``undone(count, why)``: so many attempts come back undone, for all sorts of reasons."""

    def build(count, why):
        def fetched(future, timeout):
            told = result(future, timeout)
            if count <= len(came):
                return told
            came.append(told)
            return to_text((Undone("tcp://127.0.0.1:1", "the mill", why), (), ()))

        from distributed import Future

        came, result = [], Future.result
        monkeypatch.setattr(Future, "result", fetched)
        return came

    return build


def test_what_a_worker_left_undone_that_went_away_is_done_by_another(join, tmp_path, undone):
    came = undone(7, "")
    with join("local", jobs=1) as workers:
        workers.submit(task(tmp_path))
        (ended,) = all_of(workers, 1)
        assert ended.result.status == "enhanced"
        assert len(came) == 7
        assert workers.news() == []


def test_a_worker_that_can_do_nothing_is_named_once_and_others_do_its_work(join, tmp_path, undone):
    came = undone(7, "OSError: [Errno 24] Too many open files")
    with join("local", jobs=1) as workers:
        assert workers.places == 1
        workers.submit(task(tmp_path))
        (ended,) = all_of(workers, 1)
        assert ended.result.status == "enhanced"
        assert len(came) == 7
        (news,) = workers.news()
        assert "tcp://127.0.0.1:1 on the mill cannot work: OSError: [Errno 24] Too" in news


def test_attempts_that_nobody_is_at_are_taken_back_when_the_run_is_to_end(
    join, dask, tmp_path, monkeypatch
):
    monkeypatch.setattr("tenuto.batch.executors.cluster._SECOND_LOOK", 0.1)
    dask.start_scheduler()
    with join(dask.address) as workers:
        given = task(tmp_path)
        workers.submit(given)
        assert workers.withdraw() == []  # it may be on its way from one worker to another
        workers.wait(0.2)
        assert workers.withdraw() == [given]
        workers.wait(0.2)
        assert workers.withdraw() == []
        workers._lost.append(given)
        assert workers.withdraw() == [given]


CTRL_C = """
import sys
from pathlib import Path

from tenuto.batch import Batch
from tenuto.batch.enhancing import Silent


class Heard(Silent):
    def noted(self, text):
        Path(sys.argv[3]).write_text(text)


if __name__ == "__main__":
    batch = Batch(ladder=("gated",), meter="none", cluster="local", jobs=2)
    summary = batch.run([sys.argv[1]], sys.argv[2], Heard())
    print(summary.statuses["enhanced"], summary.exit_status)
"""


def test_ctrl_c_in_a_terminal_ends_a_run_on_a_cluster_of_its_own_in_order(
    recordings, gate, tmp_path
):
    """The signal goes to every process that the terminal has."""
    script = tmp_path / "ctrl_c.py"
    script.write_text(CTRL_C)
    heard = tmp_path / "heard"
    command = [sys.executable, script, recordings, tmp_path / "out", heard]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        try:
            at_work(gate, 2)
            os.killpg(run.pid, signal.SIGINT)
            wait_for(lambda: heard.exists() and "Stopping" in heard.read_text())
            gate.touch()
            told, _ = run.communicate(timeout=START)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
    assert told == "2 130\n"


def test_what_cannot_be_given_out_just_now_is_given_out_later(join, tmp_path, monkeypatch):
    with join("local", jobs=1) as workers:
        submit, refused = workers._client.submit, []

        def refusing(*args, **settings):
            if not refused:
                refused.append(args)
                raise OSError("the scheduler is gone")
            return submit(*args, **settings)

        monkeypatch.setattr(workers._client, "submit", refusing)
        workers.submit(task(tmp_path))
        (ended,) = all_of(workers, 1)
        assert ended.result.status == "enhanced"


def test_a_scheduler_that_does_not_come_back_ends_the_run_in_order(
    join, dask, gate, tmp_path, monkeypatch
):
    monkeypatch.setattr("tenuto.batch.executors.cluster._PATIENCE", 0.0)
    monkeypatch.setattr("tenuto.batch.executors.cluster._RECONNECT", 0.5)
    dask.start_scheduler()
    dask.start_worker()
    with join(dask.address, "gated") as workers:
        workers.submit(task(tmp_path))
        at_work(gate)
        dask.scheduler.kill()
        (ended,) = all_of(workers, 1)
        assert isinstance(ended.result, Halt)
        assert "is gone" in ended.result.reason
    gate.touch()


def test_an_input_that_takes_worker_after_worker_along_is_a_death(join, dask, gate, tmp_path):
    dask.start_scheduler(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="1")
    with join(dask.address, "gated") as workers:
        workers.submit(task(tmp_path))
        for count in (1, 2):
            worker = dask.start_worker()
            at_work(gate, count)
            worker.kill()
        (ended,) = all_of(workers, 1)
        assert isinstance(ended, Death)
        assert ended.cause == "each of 2 cluster workers that had it is gone"


def test_an_attempt_ends_with_the_run_that_wanted_it(join, dask, gate, tmp_path):
    dask.start_scheduler()
    dask.start_worker()
    workers = join(dask.address, "gated")
    workers.submit(task(tmp_path))
    at_work(gate)
    workers.kill()  # the gate stays shut: the process must not wait for it
    wait_for(lambda: not drafts(tmp_path))
    with join(dask.address, "steady") as others:  # the only worker there is has a hand free again
        others.submit(task(tmp_path, "b.wav"))
        (ended,) = all_of(others, 1)
    assert ended.result.status == "enhanced"
    gate.touch()
    assert not (tmp_path / "out/a.wav").exists()


def test_a_machine_that_does_not_see_the_output_folder_stops_the_run(join, tmp_path, monkeypatch):
    workers = join("local", jobs=1)
    (tmp_path / "out/.landmark").unlink()
    with workers:
        workers.submit(task(tmp_path))
        (ended,) = all_of(workers, 1)
    assert "share that folder" in ended.result.reason


def test_without_a_scheduler_or_without_dask_it_says_so_at_once(join, monkeypatch):
    monkeypatch.setattr("tenuto.batch.executors.cluster._CONNECT", 0.5)
    with pytest.raises(ConfigurationError, match="no Dask scheduler answers"):
        join("tcp://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match=r"Dask cannot use tls://127\.0\.0\.1:9: TLS"):
        join("tls://127.0.0.1:9")  # without a certificate
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'tenuto\[cluster\]'"):
        join("local")


@pytest.mark.parametrize(
    "address",
    ["", "foo", "Local", "http://x:1", "nonsense://x:1", "tcp://x", "tcp://:1", "x:0", "x:99999"],
)
def test_what_is_no_address_is_refused_at_once(address, recordings, tmp_path):
    with pytest.raises(ConfigurationError, match=r"give tcp://HOST:PORT, tls://HOST:PORT, or loc"):
        Batch(ladder=("steady",), meter="none", cluster=address).run([recordings], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "address", ["local", "tcp://x:8786", "tls://a.b:1", "x:8786", "tcp://[::1]:1"]
)
def test_an_address_of_any_form_that_dask_knows_will_do(address):
    check_address(address)


def test_a_name_in_any_encoding_survives_the_way():
    item = Item(os.fsdecode(b"/in/\xff\n.wav"), "/out/x.wav")
    sent = Task(item, deadly=("ab",))
    assert from_text(to_text(sent)) == sent
    assert from_text(to_text(Answer(sent, Halt("full")))) == Answer(sent, Halt("full"))
    assert from_text(to_text({"is": 1, "values": {"x": None}})) == {"is": 1, "values": {"x": None}}


@pytest.mark.parametrize(
    "text", ["", "{}", '{"is": "Popen"}', '{"is": "Task"}', '{"is": "Halt", "x": 1}', '{"is": []}']
)
def test_what_is_no_record_of_ours_becomes_none(text):
    with pytest.raises(ValueError):
        from_text(text)


def test_only_text_goes_over_the_wire(tmp_path):
    assert json.loads(to_text(task(tmp_path)))["is"] == "Task"


def test_a_run_on_a_cluster_has_the_same_outcomes(recordings, tmp_path):
    (recordings / "bad.wav").write_text("words, words, words")
    batch = Batch(ladder=("crashing", "steady"), meter="none", jobs=2)
    outcomes = []
    for number, each in enumerate((batch, replace(batch, cluster="local"))):
        out = tmp_path / f"out-{number}"
        summary = each.run([recordings], out)
        assert dict(summary.statuses) == {"enhanced": 3, "quarantined": 1}
        assert summary.exit_status == 1
        lines = ledger_of(out)
        outcomes.append({name: (lines[name]["status"], lines[name]["tier"]) for name in lines})
        assert "killed by SIGSEGV" in lines["a.wav"]["reason"]
        assert each.run([recordings], out).finished_earlier == 3
    assert outcomes[0] == outcomes[1]
    with open_journal() as journal:
        assert journal.open_attempts() == []


def test_a_run_goes_on_through_deaths_of_workers_and_scheduler(dask, recordings, tmp_path):
    """With journals of their own, and everything ending up in that of the run."""
    (recordings / "bad.wav").write_text("words, words, words")
    dask.start_scheduler()
    theirs = {"TENUTO_JOURNAL": str(tmp_path / "theirs")}
    workers = [dask.start_worker(**theirs) for _ in range(2)]

    class Killer(Silent):
        def ended(self, outcome, summary):
            if summary.ended == 1:
                workers.pop().kill()
            if summary.ended == 2:
                dask.scheduler.kill()
                dask.scheduler.wait()
                dask.start_scheduler()
                dask.start_worker(**theirs)

    batch = Batch(ladder=("crashing", "steady"), meter="none", cluster=dask.address)
    summary = batch.run([recordings], tmp_path / "ours", Killer())
    assert dict(summary.statuses) == {"enhanced": 3, "quarantined": 1}
    with open_journal() as journal:
        assert {attempt.step for attempt in journal.attempts()} >= {"crashing"}
        assert journal.open_attempts() == []
        assert any("is text" in group.message for group in journal.groups())
