"""Journals and forks."""

from __future__ import annotations

import os
import threading

from tenuto import forking
from tenuto.journal import Journal, Reader
from tests.forks import in_child


def test_a_child_has_a_spool_of_its_own(private_journal, event, clock):
    with Journal(private_journal) as journal:
        journal.append(event(number=1))
        parent = journal._writer.process
        clock.advance(1)

        def work():
            assert journal._writer.process != parent
            assert journal.read(Reader("log", own=True)).records == ()
            journal.append(event(number=2))
            assert len(journal.events()) == 2

        assert in_child(work)
        clock.advance(1)
        journal.append(event(number=3))
        assert [told.context["number"] for told in journal.events()[::-1]] == [1, 2, 3]
        assert journal.losses == {}


def test_a_child_that_dies_in_the_middle_leaves_what_it_wrote(private_journal, event):
    with Journal(private_journal) as journal:
        journal.append(event(number=1))

        def work():
            journal.append(event(number=2))
            os.kill(os.getpid(), 9)

        assert not in_child(work)
        assert journal.groups()[0].count == 2


def test_a_childs_life_does_not_hide_its_parents_death(private_journal, event):
    told = event()
    wait, release = os.pipe()
    begun, begin = os.pipe()

    def parent():
        journal = Journal(private_journal)
        journal.append(told)
        if os.fork() == 0:
            os.write(begin, b"x")
            os.read(wait, 1)  # outlives the parent, and has inherited what it held
            os._exit(0)
        os.read(begun, 1)

    try:
        assert in_child(parent)
        with Journal(private_journal) as journal:
            assert journal.event(told.id) == told
            assert not list((private_journal / "spools").glob("*.db"))
    finally:
        os.write(release, b"x")
        for end in (wait, release, begun, begin):
            os.close(end)


def test_counts_that_are_not_told_yet_are_the_parents_to_tell(private_journal, event):
    with Journal(private_journal) as journal:
        told = event()
        for _ in range(40):
            if journal.fold(told.fingerprint, {}) is None:
                journal.append(event())
        journal.count_loss("test")
        assert in_child(journal.close)
        assert journal.groups()[0].count == 40
        assert journal.drops() == {"test": 1}


def test_forks_in_the_middle_of_everything(private_journal, event):
    with Journal(private_journal) as journal:
        stop = threading.Event()

        def busy():
            while not stop.is_set():
                journal.record_count += 1
                journal.append(event())
                journal.move()

        journal.record_count = 0
        threads = [threading.Thread(target=busy) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            children = [in_child(lambda: journal.append(event())) for _ in range(10)]
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert all(children)
        assert journal.losses == {}
        assert journal.groups()[0].count >= 13


def test_a_retired_spool_is_the_parents_to_close(private_journal, event, monkeypatch):
    monkeypatch.setattr("tenuto.journal.writer._ROTATE_NOW", 1)
    with Journal(private_journal) as journal:
        journal.append(event())
        assert journal._writer._retired
        assert in_child(journal.flush)
        journal.flush()
        assert journal.groups()[0].count == 1


def test_what_a_fork_does_step_by_step(private_journal, event, monkeypatch):
    monkeypatch.setattr(forking, "_all", {})
    monkeypatch.setattr("tenuto.journal.journal.survive_forks", lambda _: None)
    journal = Journal(private_journal)
    journal.append(event(number=1))
    forking._all = [journal]
    forking._before()
    forking._in_parent()
    assert journal.groups()[0].count == 1
    other = Journal(private_journal)
    other.append(event(number=2))
    other._writer._retire()
    other.append(event(number=3))
    forking._all = [other]
    forking._before()
    forking._in_child()
    other.append(event(number=4))
    assert other.groups()[0].count == 4
    other.close()
    journal.close()


def test_two_threads_that_fork_at_once_wait_for_each_other(monkeypatch):
    told = []

    class Resting:
        def rest(self):
            told.append("rest")

        def resume(self):
            told.append("resume")

    monkeypatch.setattr(forking, "_all", [Resting()])

    def fork():
        forking._before()
        forking._in_parent()

    forking._before()
    other = threading.Thread(target=fork)
    other.start()
    other.join(0.1)  # it is waiting by then, or has been too early
    assert told == ["rest"]
    forking._in_parent()
    other.join()
    assert told == ["rest", "resume"] * 2
