"""The journal never hurts the pipeline, and says what it has lost."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tenuto.clock import SystemClock
from tenuto.journal import Attempt, Journal, Moved, Outcome, Reader, open_journal
from tenuto.journal.archive import SET_ASIDE
from tenuto.journal.locks import FileLock
from tenuto.journal.mover import SPOOL_DAMAGED
from tenuto.journal.spool import Spool, rows_after
from tenuto.journal.writer import RING_FULL


@pytest.fixture
def nowhere(tmp_path, clock):
    """A journal whose folder cannot be made: its parent is a file."""
    (tmp_path / "file").write_text("")
    with open_journal(tmp_path / "file" / "journal", clock=clock) as journal:
        yield journal


def test_without_a_disk_everything_is_kept_in_memory(nowhere, event):
    told = event()
    nowhere.append(told)
    nowhere.record(Outcome(input="a", output=None, status="degraded"))
    nowhere.open_attempt(Attempt(work="a", step="decode"))
    assert nowhere.event(told.id) == told
    assert nowhere.groups()[0].count == 1
    assert len(nowhere.outcomes()) == len(nowhere.open_attempts()) == 1
    assert nowhere.losses["disk trouble: Not a directory"] >= 1
    assert nowhere.move() is Moved.FAILED


def test_readers_are_told_what_is_only_in_memory(nowhere, event):
    own, named = Reader("log", own=True), Reader("sentry")
    nowhere.append(event(number=1))
    assert len(nowhere.read(named).records) == 1
    batch = nowhere.read(own)
    assert len(batch.records) == 1
    nowhere.advance(own, batch.position)
    assert nowhere.read(own).records == ()
    with pytest.raises(OSError, match="Not a directory"):
        nowhere.advance(named, 1)


def test_the_memory_is_bounded_and_what_it_loses_is_counted(nowhere, event, monkeypatch):
    monkeypatch.setattr("tenuto.journal.writer._RING", 10)
    for number in range(25):
        nowhere.append(event(number=number))
        nowhere.flush()
    assert [told.context["number"] for told in nowhere.events()] == list(range(24, 14, -1))
    assert nowhere.losses[RING_FULL] == 15


def test_when_the_disk_is_back_the_memory_goes_there_in_order(tmp_path, clock, event):
    blocker = tmp_path / "file"
    blocker.write_text("")
    journal = Journal(blocker / "journal", clock=clock)
    for number in range(3):
        journal.append(event(number=number))
    blocker.unlink()
    journal.append(event(number=3))  # the disk is not asked again at once
    assert not blocker.exists()
    clock.advance(1.0)
    journal.append(event(number=4))
    assert (blocker / "journal" / "spools").exists()
    assert [told.context["number"] for told in journal.events()] == [4, 3, 2, 1, 0]
    journal.close()
    with open_journal(blocker / "journal", clock=clock) as again:
        assert again.groups()[0].count == 5
        assert again.drops()["disk trouble: Not a directory"] >= 1


def test_a_damaged_journal_is_set_aside_and_a_new_one_begun(private_journal, event, clock):
    with Journal(private_journal, clock=clock) as journal:
        journal.append(event(number=1))
        journal.groups()
    rubbish = b"this is no database" * 1000
    (private_journal / "journal.db").write_bytes(rubbish)
    with open_journal(private_journal, clock=clock) as journal:
        journal.append(event(number=2))
        assert journal.events()[0].context["number"] == 2
        assert journal.losses[SET_ASIDE] == 1
        assert journal.drops()[SET_ASIDE] == 1
    [aside] = private_journal.glob("journal.db.damaged-*")
    assert aside.read_bytes() == rubbish


def test_damage_in_the_middle_of_a_run_is_noticed(private_journal, event, clock):
    with Journal(private_journal, clock=clock) as journal:
        for number in range(50):
            journal.append(event(number=number))
        journal.groups()
        journal.close()
        data = bytearray((private_journal / "journal.db").read_bytes())
        data[4096:] = b"\xff" * (len(data) - 4096)
        (private_journal / "journal.db").write_bytes(data)
        journal.append(event(number=50))
        assert len(journal.events()) >= 1
        assert journal.losses[SET_ASIDE] == 1


def test_others_follow_when_the_file_was_set_aside(private_journal, event, clock):
    with Journal(private_journal, clock=clock) as one, Journal(private_journal, clock=clock) as two:
        one.append(event(number=1))
        one.groups()
        two.groups()
        one._archive.set_aside()
        assert [told.context["number"] for told in two.events()] == [1]  # the spool has it still
        one.append(event(number=2))
        assert len(two.events()) == len(one.events()) == 2


def test_a_damage_that_cannot_be_set_aside_is_lived_with(
    private_journal, event, clock, monkeypatch
):
    private_journal.mkdir()
    (private_journal / "journal.db").write_bytes(b"this is no database" * 1000)
    journal = Journal(private_journal, clock=clock)

    def refuse():
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(journal._archive, "set_aside", refuse)
    journal.append(event(number=1))
    assert journal.move() is Moved.FAILED
    assert len(journal.events()) == 1
    journal.close()


def test_a_journal_of_a_newer_version_is_left_alone(private_journal, event, clock):
    private_journal.mkdir()
    db = sqlite3.connect(private_journal / "journal.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with Journal(private_journal, clock=clock) as journal:
        journal.append(event())
        assert journal.groups()[0].count == 1  # from the spool
        assert journal.move() is Moved.FAILED
        assert any("version 99" in reason for reason in journal.losses)
    assert list((private_journal / "spools").glob("*.db"))


def test_a_damaged_spool_is_set_aside_once_its_owner_is_gone(private_journal, event, clock):
    journal = Journal(private_journal, clock=clock)
    for number in range(30):
        journal.append(event(number=number))
    journal.close()
    [spool] = (private_journal / "spools").glob("*.db")
    spool.write_bytes(b"rubbish" * 1000)
    with open_journal(private_journal, clock=clock) as journal:
        assert journal.groups() == []
        assert journal.losses[SPOOL_DAMAGED] == 1
    assert list((private_journal / "spools").glob("*.damaged"))
    assert not spool.with_suffix(".lock").exists()


def test_a_damaged_spool_of_somebody_alive_is_his_to_notice(private_journal, event, clock):
    spools = private_journal / "spools"
    spools.mkdir(parents=True)
    (spools / "1-ab-000001.db").write_bytes(b"rubbish" * 1000)
    lock = FileLock.acquire(spools / "1-ab-000001.lock")
    with Journal(private_journal, clock=clock) as journal:
        assert journal.move() is Moved.ALL
        assert journal.losses == {}
    lock.release()


def test_a_damaged_spool_does_not_stop_reading_from_memory(tmp_path, event, clock):
    spools = tmp_path / "j" / "spools"
    spools.mkdir(parents=True)
    (spools / "1-ab-000001.db").write_bytes(b"rubbish" * 1000)
    (tmp_path / "j" / "journal.db").mkdir()
    with Journal(tmp_path / "j", clock=clock) as journal:
        journal.append(event())
        assert journal.groups()[0].count == 1
        assert journal.read(Reader("log", own=True)).records


def test_what_a_crash_left_half_made_is_swept_up(private_journal, clock):
    spools = private_journal / "spools"
    spools.mkdir(parents=True)
    (spools / "1-ab-000001.lock").write_text("")
    (spools / "1-ab-000002.db").write_bytes(b"")
    (spools / "1-ab-000002.lock").write_text("")
    (spools / "1-ab-000003.db").write_bytes(b"half a page")
    (spools / "1-ab-000003.db-journal").write_bytes(b"and how it was before")
    (spools / "1-ab-000003.lock").write_text("")
    mine = FileLock.acquire(spools / "2-ab-000001.lock")  # somebody is about to make one
    with open_journal(private_journal, clock=clock) as journal:
        assert journal.losses == {}
        assert not list(spools.glob("*.db*"))
        journal.prune()
        assert [left.name for left in spools.iterdir()] == ["2-ab-000001.lock"]
    mine.release()


def test_a_record_that_makes_no_sense_is_dropped_and_counted(journal, event):
    journal.append(event(number=1))
    for kind, body in [("event", "{}"), ("event", "not json"), ("nonsense", "{}"), ("slice", "[]")]:
        journal._writer.write([(kind, body)])
    journal.append(event(number=2))
    assert len(journal.events()) == 2
    assert journal.drops() == {"unreadable record": 4}


def test_an_old_revision_changes_nothing(journal, event):
    told = event()
    journal.append(told)
    journal.fold(told.fingerprint, {})
    for _ in range(40):
        journal.append(told)
        journal.fold(told.fingerprint, {})
    journal.flush()
    count = journal.groups()[0].count
    [part] = [r for r in journal.read(Reader("x", own=True)).records if r.kind == "slice"]
    journal._writer.write([("slice", json.dumps(part.body))])
    assert journal.groups()[0].count == count


def test_while_another_has_the_lease_both_are_read(private_journal, event, clock, monkeypatch):
    pauses = []
    monkeypatch.setattr(SystemClock, "sleep", staticmethod(pauses.append))
    began = clock.now()
    with Journal(private_journal, clock=clock) as journal:
        journal.append(event(number=1))
        journal.groups()
        lease = FileLock.acquire(private_journal / "mover.lock")
        journal.append(event(number=2))
        assert journal.move() is Moved.BUSY
        assert [told.context["number"] for told in journal.events()] == [2, 1]
        assert pauses  # it has waited for a while first
        assert clock.now() == began  # for somebody in real time, which ours is not
        lease.release()


def test_a_lock_that_is_removed_is_not_taken(tmp_path):
    path = tmp_path / "x.lock"
    lock = FileLock.acquire(path)
    assert FileLock.acquire(path) is None
    lock.remove()
    again = FileLock.acquire(path)
    assert again is not None
    again.release()


def test_a_lock_whose_file_vanishes_meanwhile_is_not_taken(tmp_path, monkeypatch):
    path = tmp_path / "x.lock"
    import fcntl

    real = fcntl.flock

    def slow(descriptor, how):
        path.unlink()
        real(descriptor, how)

    monkeypatch.setattr("tenuto.journal.locks.fcntl.flock", slow)
    assert FileLock.acquire(path) is None


def test_a_lock_where_locks_do_not_work_says_so(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(95, "not supported")

    monkeypatch.setattr("tenuto.journal.locks.fcntl.flock", broken)
    with pytest.raises(OSError, match="not supported"):
        FileLock.acquire(tmp_path / "x.lock")


def test_a_spool_that_a_mover_looks_at_in_the_wrong_moment_is_not_used(
    private_journal, event, monkeypatch, clock
):
    monkeypatch.setattr("tenuto.journal.spool.FileLock.acquire", lambda _: None)
    journal = Journal(private_journal, clock=clock)
    journal.append(event())
    assert any("disk trouble" in reason for reason in journal.losses)
    monkeypatch.undo()
    clock.advance(1.0)
    assert journal.groups()[0].count == 1
    journal.close()


def test_an_error_while_a_spool_is_closed_is_counted(private_journal, event, monkeypatch, clock):
    journal = Journal(private_journal, clock=clock)
    journal.append(event())
    spool = journal._writer._spool

    def broken():
        spool._lock.release()
        raise sqlite3.OperationalError("disk I/O error")

    real, spool.close = spool.close, broken
    journal.close()
    assert journal.losses == {"disk trouble: disk I/O error": 1}
    spool._db.close()
    del real


def test_an_archive_that_breaks_in_the_middle_of_a_move_rolls_back(
    private_journal, event, monkeypatch, clock
):
    journal = Journal(private_journal, clock=clock)
    journal.append(event(number=1))
    journal.groups()
    journal.append(event(number=2))

    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("tenuto.journal.mover.Applier.finish", full)
    assert journal.move() is Moved.FAILED
    monkeypatch.undo()
    assert journal.groups()[0].count == 2
    assert journal.losses["cannot move spools: database or disk is full"] == 1
    journal.close()


def test_a_spool_that_cannot_be_made_leaves_nothing_behind(
    private_journal, event, monkeypatch, clock
):
    monkeypatch.setattr("tenuto.journal.spool._CREATE", "NONSENSE")
    journal = Journal(private_journal, clock=clock)
    journal.append(event())
    assert not list((private_journal / "spools").iterdir())
    assert len(journal.events()) == 1
    journal.close()


def test_a_spool_that_is_gone_has_no_rows(tmp_path):
    assert rows_after(tmp_path / "gone.db", 0, 10) == []


def test_a_spool_that_cannot_be_read_is_no_empty_spool(tmp_path, monkeypatch):
    Spool(tmp_path, "1-ab-000001").close()
    db = sqlite3.connect(tmp_path / "1-ab-000001.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = DELETE")
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("tenuto.journal.spool._BUSY", 0.0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        rows_after(tmp_path / "1-ab-000001.db", 0, 10)
    db.close()
