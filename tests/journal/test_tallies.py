"""What policies do is counted, not stored each time, and the counts add up."""

import os
import sqlite3
import threading

from tenuto.clock import SimulatedClock
from tenuto.journal import Tally, open_journal
from tenuto.journal.tallying import OTHER, Tallies


def counts(journal):
    return {(t.policy, t.name, t.what): t.count for t in journal.tallies()}


def test_counts_are_kept_by_policy_name_and_what_it_was(tmp_path):
    with open_journal(tmp_path) as journal:
        journal.count("breaker", "hub", "refused")
        journal.count("breaker", "hub", "refused", 4)
        journal.count("retry", "hub", "suppressed")
        assert journal.tallies() == [
            Tally(policy="breaker", name="hub", what="refused", count=5),
            Tally(policy="retry", name="hub", what="suppressed", count=1),
        ]


def test_a_storm_writes_a_row_a_second_and_loses_no_count(tmp_path):
    clock = SimulatedClock()
    with open_journal(tmp_path, clock=clock) as journal:
        for _ in range(5000):
            journal.count("breaker", "hub", "refused")
            clock.advance(0.001)
        journal.flush()
        (spool,) = (tmp_path / "spools").glob("*.db")
        with sqlite3.connect(spool) as db:
            assert db.execute("SELECT count(*) FROM records").fetchone()[0] <= 6
        db.close()
        assert counts(journal) == {("breaker", "hub", "refused"): 5000}


def test_processes_add_up_and_a_child_does_not_count_for_its_parent(tmp_path):
    with open_journal(tmp_path) as journal:
        journal.count("retry", "hub", "retried", 2)
        child = os.fork()
        if child == 0:
            journal.count("retry", "hub", "retried", 3)
            journal.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert counts(journal) == {("retry", "hub", "retried"): 5}


def test_a_count_survives_the_journal_and_goes_on(tmp_path):
    for _ in range(2):
        with open_journal(tmp_path) as journal:
            journal.count("retry", "hub", "retried")
    with open_journal(tmp_path) as journal:
        assert counts(journal) == {("retry", "hub", "retried"): 2}


def test_a_reader_sees_what_another_thread_is_about_to_write(tmp_path, monkeypatch):
    take, seen, readers = Tallies.take_grown, [], []
    with open_journal(tmp_path) as journal:

        def read_in_between(tallies):
            taken = take(tallies)
            if taken and not readers:
                readers.append(threading.Thread(target=lambda: seen.append(counts(journal))))
                readers[0].start()
                readers[0].join(0.2)  # it is waiting by then, or it has read too early
            return taken

        journal.count("breaker", "hub", "tripped")
        monkeypatch.setattr(Tallies, "take_grown", read_in_between)
        journal.flush()
        readers[0].join()
        assert seen == [{("breaker", "hub", "tripped"): 1}]


def test_names_made_at_run_time_do_not_fill_the_memory():
    tallies = Tallies()
    for number in range(10_000):
        tallies.add(("breaker", f"host {number}", "refused"), 1)
    grown = tallies.take_grown()
    assert sum(row["count"] for row in grown) == 10_000
    assert len(grown) == 4097
    assert OTHER in {row["name"] for row in grown}
    assert tallies.take_grown() == []


def test_a_journal_of_the_first_version_gains_the_table(tmp_path):
    from tenuto.journal import schema

    db = sqlite3.connect(tmp_path / "journal.db")
    db.executescript(f"{schema._FIRST} PRAGMA user_version = 1;")
    db.close()
    with open_journal(tmp_path) as journal:
        journal.count("retry", "hub", "retried")
        assert counts(journal) == {("retry", "hub", "retried"): 1}
