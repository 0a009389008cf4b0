"""What a call of ``report`` does, and what it never does."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import threading

import pytest

from tenuto import scope
from tenuto.capture import captured_id
from tenuto.clock import SimulatedClock
from tenuto.errors import DecodeError
from tenuto.journal import Journal, Outcome, open_journal
from tenuto.reporting import ErrorReporter
from tenuto.reporting.pump import PUMP


@pytest.fixture
def reporter():
    made = ErrorReporter("enhance", clock=SimulatedClock(), log=False)
    yield made
    made.close()


def failure(message="no sound in it"):
    try:
        raise DecodeError(message)
    except DecodeError as error:
        return error


def test_it_needs_no_arguments(private_journal):
    reporter = ErrorReporter()
    event = reporter.report(failure())
    assert event.service is None
    reporter.close()
    with open_journal(private_journal) as journal:
        assert journal.event(event.id).message == "no sound in it"


def test_a_reported_error_is_in_the_journal_when_the_call_returns(reporter, private_journal):
    with scope(audio_id="a17"):
        event = reporter.report(failure(), {"password": "x", "n": 1})
    with open_journal(private_journal) as other:
        found = other.event(event.id)
    assert found == event
    assert found.service == "enhance"
    assert found.context == {"audio_id": "a17", "password": "[redacted]", "n": 1}


def test_the_journal_is_opened_at_the_first_error(private_journal):
    reporter = ErrorReporter()
    assert not private_journal.exists()
    reporter.report(failure())
    assert private_journal.exists()
    reporter.close()


def test_one_exception_object_is_one_event_however_often_it_is_told(reporter):
    error = failure()
    first = reporter.report(error, {"layer": "inner"})
    second = reporter.report(error, {"seen_by": "outer"})
    third = reporter.report(error)
    assert first.id == second.id == third.id == captured_id(error)
    assert reporter.journal.groups()[0].count == 1
    context = reporter.journal.event(first.id).context
    assert context == {"layer": "inner", "seen_by": "outer"}


def test_two_reporters_and_a_pickled_copy_see_the_same_event(reporter):
    error = failure()
    first = reporter.report(error)
    other = ErrorReporter("other", journal=reporter.journal, log=False)
    assert other.report(pickle.loads(pickle.dumps(error)), {"where": "parent"}).id == first.id
    assert reporter.journal.groups()[0].count == 1
    assert reporter.journal.event(first.id).context == {"where": "parent"}
    other.close()
    assert reporter.report(failure()).id != first.id


def test_repeats_are_counted_and_each_has_its_own_id_and_context(reporter):
    events = [reporter.report(failure(f"no sound in {n}.wav"), {"n": n}) for n in range(100)]
    assert len({event.id for event in events}) == 100
    assert [event.context["n"] for event in events] == list(range(100))
    assert events[-1].message == "no sound in 99.wav"
    assert events[-1].frames
    assert reporter.journal.groups()[0].count == 100
    assert len(reporter.journal.events()) == 32
    assert reporter.journal.event(events[-1].id) == events[31]
    error = failure("no sound in 100.wav")
    again = reporter.report(error, {"n": 100})
    assert reporter.report(error, {"late": 1}).id == again.id
    assert "late" not in reporter.journal.event(again.id).context


def test_threads_that_report_one_object_make_one_event(reporter):
    error = failure()
    barrier = threading.Barrier(8)
    ids = []

    def work():
        barrier.wait()
        ids.append(reporter.report(error).id)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 1
    assert reporter.journal.groups()[0].count == 1


def test_an_error_that_reports_itself_does_not_recurse(reporter):
    class Loud(Exception):
        def __str__(self):
            return reporter.report(self).message

    event = reporter.report(Loud())
    assert event.type.endswith("Loud")
    assert reporter.journal.losses["<reported while it was being reported>"] >= 1


def test_threads_that_come_first_share_one_journal(private_journal):
    reporter = ErrorReporter(log=False)
    with reporter._opening:
        threads = [threading.Thread(target=reporter.report, args=[failure()]) for _ in range(4)]
        for thread in threads:
            thread.start()
        while not all(thread.ident for thread in threads):
            pass
    for thread in threads:
        thread.join()
    assert reporter.journal.groups()[0].count == 4
    reporter.close()


def test_what_is_recorded_without_an_error_is_moved_too(reporter, private_journal):
    assert PUMP._thread is None or PUMP._thread.daemon
    PUMP.stop()
    reporter.journal.record(Outcome(input="a", output=None, status="degraded"))
    assert PUMP._thread is not None


def test_whatever_breaks_inside_stays_inside(reporter, monkeypatch):
    reporter.report(failure())

    def broken(*_):
        raise RuntimeError("mine")

    monkeypatch.setattr(Journal, "append", broken)
    event = reporter.report(failure())
    assert event.message == "<lost: reporting it raised RuntimeError>"
    assert event.service == "enhance"
    assert reporter.journal.losses == {"<lost: reporting it raised RuntimeError>": 1}


def test_a_journal_that_cannot_even_be_made_is_no_reason_to_raise(monkeypatch):
    def broken(**_):
        raise RuntimeError("mine")

    monkeypatch.setattr("tenuto.reporting.reporter.Journal", broken)
    assert "lost" in ErrorReporter(log=False).report(failure()).message


def test_without_a_disk_errors_are_reported_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TENUTO_JOURNAL", str(tmp_path / "file" / "journal"))
    reporter = ErrorReporter(log=False)
    event = reporter.report(failure())
    assert reporter.journal.event(event.id) == event
    reporter.close()


def test_a_journal_that_was_given_is_left_open(private_journal):
    journal = Journal(private_journal)
    reporter = ErrorReporter(journal=journal, log=False)
    reporter.report(failure())
    reporter.close()
    reporter.close()
    assert journal._writer._spool is not None
    reporter.report(failure())
    assert journal.groups()[0].count == 2
    reporter.close()
    journal.close()


def test_a_reporter_that_is_dropped_unclosed_is_cleared_away(private_journal):
    reporter = ErrorReporter(log=False)
    for _ in range(40):
        reporter.report(failure())
    attachment = reporter._attachment
    del reporter
    gc.collect()
    PUMP.turn()
    assert attachment not in PUMP._attachments
    with open_journal(private_journal) as journal:
        assert journal.groups()[0].count == 40


PROGRAM = """
import sys, time
from tenuto.reporting import ErrorReporter
reporter = ErrorReporter("night", log="log" in sys.argv)
def fail(n):
    try:
        raise ValueError(f"take {n}")
    except ValueError as error:
        reporter.report(error, {"n": n})
for n in range(50):
    fail(n)
    if n == 0:
        assert "structlog" not in sys.modules or "log" in sys.argv
"""


@pytest.mark.parametrize("log", [True, False])
def test_at_exit_everything_has_been_told_and_moved(private_journal, log):
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *(["log"] if log else [])],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    lines = ended.stderr.splitlines()
    assert len(lines) == (33 if log else 0) or (log and "repeats=18" in lines[-1])
    with open_journal(private_journal) as journal:
        assert journal.groups()[0].count == 50


def test_a_worker_of_multiprocessing_tells_its_counts_at_its_end(private_journal):
    program = PROGRAM.replace("for n in range(50):", "def work():\n  for n in range(50):").replace(
        "    fail(n)\n    if n == 0:\n        assert", "    fail(n)\n    if n == 0:\n     assert"
    )
    program += """
import multiprocessing
fail(-1)
child = multiprocessing.get_context("fork").Process(target=work)
child.start(); child.join(10)
assert child.exitcode == 0
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)
    with open_journal(private_journal) as journal:
        assert journal.groups()[0].count == 51


def test_a_forked_child_goes_on_reporting(reporter, private_journal):
    reporter.report(failure())
    child = os.fork()
    if child == 0:
        reporter.report(failure())
        os._exit(0 if PUMP._thread is not None and PUMP._thread.is_alive() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert reporter.journal.groups()[0].count == 2
