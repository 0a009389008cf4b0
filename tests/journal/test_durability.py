"""What survives a power cut, and what only the death of its process."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from tenuto.errors import ConfigurationError
from tenuto.journal import Journal, Moved, Reader, open_journal

NORMAL, FULL = 1, 2  # SQLite's numbers


def synchronous(db):
    return db.execute("PRAGMA synchronous").fetchone()[0]


@pytest.fixture
def synced(monkeypatch):
    """The folders that the operating system was asked to write out."""
    found = []
    real = os.fsync

    def fsync(descriptor):
        found.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr("tenuto.journal.durability.os.fsync", fsync)
    return found


@pytest.mark.parametrize(
    ("durability", "level"), [(None, NORMAL), ("normal", NORMAL), ("full", FULL)]
)
def test_an_append_waits_for_the_disk_where_it_was_asked_to(
    private_journal, clock, event, durability, level
):
    with open_journal(private_journal, durability=durability, clock=clock) as journal:
        told = event()
        journal.append(told)
        assert synchronous(journal._writer._spool._db) == level
        assert journal.event(told.id) == told


@pytest.mark.parametrize(
    ("said", "level"), [("full", FULL), (" Full", FULL), ("normal", NORMAL), ("", NORMAL)]
)
def test_the_environment_says_it_for_programs_that_do_not(
    private_journal, clock, event, monkeypatch, said, level
):
    monkeypatch.setenv("TENUTO_JOURNAL_DURABILITY", said)
    with Journal(private_journal, clock=clock) as journal:
        journal.append(event())
        assert synchronous(journal._writer._spool._db) == level
        assert journal.losses == {}


def test_code_outranks_the_environment(private_journal, clock, event, monkeypatch):
    monkeypatch.setenv("TENUTO_JOURNAL_DURABILITY", "full")
    with Journal(private_journal, durability="normal", clock=clock) as journal:
        journal.append(event())
        assert synchronous(journal._writer._spool._db) == NORMAL


def test_a_slip_in_the_environment_costs_time_and_no_error(
    private_journal, clock, event, monkeypatch
):
    monkeypatch.setenv("TENUTO_JOURNAL_DURABILITY", "fulll")
    with Journal(private_journal, clock=clock) as journal:
        journal.append(event())
        assert synchronous(journal._writer._spool._db) == FULL
        [reason] = journal.drops()
        assert reason == "TENUTO_JOURNAL_DURABILITY is neither normal nor full: taken as full"


def test_a_slip_in_the_code_is_told_at_once(private_journal):
    with pytest.raises(ConfigurationError, match="say normal or full"):
        open_journal(private_journal, durability="paranoid")


def test_new_folders_are_remembered_too(tmp_path, clock, event, synced):
    with Journal(tmp_path / "a" / "b", durability="full", clock=clock) as journal:
        journal.append(event())
        assert set(synced) == {str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a" / "b")}
        synced.clear()
        journal.close()
        journal.append(event())
        assert synced == []


def test_normal_waits_for_no_disk(private_journal, clock, event, synced):
    with Journal(private_journal, clock=clock) as journal:
        journal.append(event())
    assert synced == []


def test_a_spool_stays_until_what_was_in_it_is_in_the_file_itself(private_journal, clock, event):
    told = event(number=1)
    with Journal(private_journal, clock=clock) as journal:
        journal.append(told)
        journal.groups()
        reader = sqlite3.connect(private_journal / "journal.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()  # holds on to the older pages
        journal.append(event(number=2))
        journal.close()
        assert journal.move() is Moved.ALL
        assert len(list((private_journal / "spools").glob("*.db"))) == 1
        assert journal.groups()[0].count == 2
        reader.close()
        journal.move()
        assert list((private_journal / "spools").iterdir()) == []
        assert journal.groups()[0].count == 2


def test_what_the_files_log_lost_is_moved_again(private_journal, clock, event):
    """As after a power cut, or a bad block: the log of the archive is gone."""
    child = os.fork()
    if child == 0:
        os._exit(0 if _dies_with_a_log(Journal(private_journal, clock=clock), event) else 1)
    assert os.waitpid(child, 0)[1] == 0
    log = private_journal / "journal.db-wal"
    assert log.stat().st_size > 0
    log.write_bytes(b"")
    (private_journal / "journal.db-shm").unlink()
    with Journal(private_journal, clock=clock) as journal:
        assert journal.groups()[0].count == 60
        assert sorted(told.context["number"] for told in journal.events()) == list(range(60))
        assert len(journal.read(Reader("bus")).records) == 60
        assert journal.check() == []


def _dies_with_a_log(journal, event):
    for number in range(30):
        journal.append(event(number=number))
    journal.close()
    moved = journal.move()  # this spool is done with, and gone
    for number in range(30, 60):
        journal.append(event(number=number))
    return moved is journal.move() is Moved.ALL
