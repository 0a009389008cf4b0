"""Bytes of a journal's files are flipped, lost or overwritten; the rest of it is found."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from tenuto.capture import capture
from tenuto.clock import SimulatedClock
from tenuto.journal import (
    Attempt,
    Journal,
    Moved,
    Outcome,
    Reader,
    Record,
    Transition,
    open_journal,
)
from tenuto.journal.apply import UNREADABLE
from tenuto.journal.archive import SET_ASIDE
from tenuto.journal.locks import FileLock
from tenuto.journal.mover import SPOOL_DAMAGED
from tests.thoroughness import REPEATABLE, examples

OLD, NEW = range(60), range(60, 90)  # in the archive, and in what a dead process left in its spool
READER = Reader("bus", everything=True)


def make_error(number, clock):
    error = ValueError("no sound in it")
    context = {"number": number, "fingerprint": f"g{number % 3}"}
    return capture(error, context=context, clock=clock)


def fill(journal, numbers, clock):
    for number in numbers:
        clock.advance(0.1)
        journal.append(told := make_error(number, clock))
        journal.record(Outcome(input=f"{number}", output=None, status="degraded"))
        journal.open_attempt(Attempt(work=f"{number}", step="decode"))
        journal.annotate(told.id, {"late": number})
        journal.count("retry", "hub", "retried")
    journal.record(Transition(policy="hub", before="closed", after="open", detail={"state": "x"}))


@pytest.fixture(scope="module")
def wreck(tmp_path_factory):
    """A journal whose process was killed, with logs that nobody has written out."""
    folder = tmp_path_factory.mktemp("wreck") / "journal"
    child = os.fork()
    if child == 0:
        clock = SimulatedClock()
        journal = Journal(folder, clock=clock)
        fill(journal, OLD, clock)
        journal.flush()
        journal.close()
        journal.move()
        journal.advance(READER, journal.read(READER).position)
        fill(journal, NEW, clock)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    return folder


@pytest.fixture
def copy(wreck, tmp_path):
    return Path(shutil.copytree(wreck, tmp_path / "journal"))


def of(folder, name):
    [path] = folder.rglob(name)
    return path


def numbers(journal):
    found = [told.context.get("number") for told in journal.events(limit=1000)]
    return sorted(number for number in found if isinstance(number, int))


def test_nothing_is_missing_where_nothing_is_damaged(copy, clock):
    with open_journal(copy, clock=clock) as journal:
        assert numbers(journal) == [*OLD, *NEW]
        assert journal.check() == []
        assert journal.losses == journal.drops() == {}
        assert {event.context["late"] for event in journal.events(limit=1000)} == {*OLD, *NEW}


def _flipped(data, dice):
    data = bytearray(data)
    for _ in range(dice.randrange(1, 20)):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return bytes(data)


def _overwritten(data, dice, page):
    start = dice.randrange(0, max(1, len(data) - len(page)), 1024)
    return data[:start] + page + data[start + len(page) :]


DAMAGES = {
    "bytes flipped": _flipped,
    "a page of zeros": lambda data, dice: _overwritten(data, dice, bytes(4096)),
    "a page of noise": lambda data, dice: _overwritten(data, dice, dice.randbytes(4096)),
    "cut off": lambda data, dice: data[: dice.randrange(len(data))],
    "rubbish at the end": lambda data, dice: data + dice.randbytes(5000),
    "all rubbish": lambda data, dice: dice.randbytes(len(data)),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    "file", ["journal.db", "journal.db-wal", "*-000002.db", "*-000002.db-wal", "*-000002.db-shm"]
)
def test_whatever_happens_to_a_file_the_journal_opens(wreck, tmp_path, clock, file, damage):
    for seed in range(examples(1)):
        folder = Path(shutil.copytree(wreck, tmp_path / f"{seed}"))
        path = of(folder, file)
        dice = random.Random(f"{file} {damage} {seed}" if REPEATABLE else None)
        spoilt = DAMAGES[damage](path.read_bytes(), dice)
        path.write_bytes(spoilt)

        with open_journal(folder, clock=clock) as journal:
            after = make_error(1000, clock)
            journal.append(after)
            assert journal.event(after.id) == after
            found = numbers(journal)
            seen = dict(journal.losses)
            exercise(journal)
            assert set(NEW if file.startswith("journal") else OLD) <= set(found)
        if set(found) != {*OLD, *NEW, 1000} and damage not in {"bytes flipped", "cut off"}:
            assert seen, "a loss that is not counted"
        for aside in folder.rglob("*.damaged*"):
            assert aside.stat().st_size > 0 or not spoilt
        with open_journal(folder, clock=clock) as again:
            left = set(numbers(again))
            assert 1000 in left
            assert left == set(found) or again.drops()  # what was met later
            again.check()


def exercise(journal):
    """Whatever can be asked is answered."""
    assert journal.groups()
    journal.trends()
    journal.outcomes()
    journal.attempts()
    journal.transitions()
    journal.latest_states("hub")
    journal.tallies()
    journal.identity()
    try:
        assert list(journal.everything())
    except sqlite3.DatabaseError:  # as it says; asked again, it tells what is left
        assert list(journal.everything())
    while (batch := journal.read(READER)).records:
        journal.advance(READER, batch.position, batch.records)
    journal.standings()
    journal.prune()


def break_page(path, where):
    """Overwrite the page on which something is written."""
    data = bytearray(path.read_bytes())
    at = data.find(where)
    assert at >= 0
    start = at - at % 4096
    data[start : start + 4096] = b"\xff" * 4096
    path.write_bytes(data)


def settle(folder, clock):
    """The journal as it is when all its processes have ended in peace."""
    with open_journal(folder, clock=clock) as journal:
        journal.groups()
    assert not list(folder.glob("*-wal"))


def test_what_is_beside_a_broken_page_is_rescued(copy, clock):
    settle(copy, clock)
    break_page(copy / "journal.db", b'"number":20,')
    with open_journal(copy, clock=clock) as journal:
        identity = journal.identity()
        found = numbers(journal)  # meets the damage, and is answered all the same
        assert 70 < len(found) < 90
        assert journal.losses[SET_ASIDE] == 1
        assert {group.count for group in journal.groups()} == {30}
        assert len(journal.outcomes()) == len(journal.attempts()) == 90
        assert journal.latest_states("hub")["hub"].after == "open"
        assert journal.identity() != identity
        assert journal.check() == []
        assert journal.drops()[SET_ASIDE] == 1
    [aside] = copy.glob("journal.db.damaged-*")
    assert b"\xff" * 4096 in aside.read_bytes()


def test_readers_go_on_where_they_stood(copy, clock):
    settle(copy, clock)
    with open_journal(copy, clock=clock) as journal:
        while (batch := journal.read(READER)).records:
            journal.advance(READER, batch.position, batch.records)
    break_page(copy / "journal.db", b'"number":20,')
    with open_journal(copy, clock=clock) as journal:
        numbers(journal)
        fresh = make_error(1000, clock)
        journal.append(fresh)
        [record] = [each for each in journal.read(READER).records if each.kind == "event"]
        assert record.body["id"] == fresh.id
        assert record.position > batch.position


def test_groups_whose_page_is_broken_are_counted_anew(copy, clock):
    settle(copy, clock)
    damaged_root(copy, "groups")
    with open_journal(copy, clock=clock) as journal:
        assert {group.count for group in journal.groups()} == {30}
        assert journal.losses[SET_ASIDE] == 1
        assert numbers(journal) == [*OLD, *NEW]


def test_a_record_that_is_no_json_any_more_is_passed_over_and_told(copy, clock):
    settle(copy, clock)
    data = (copy / "journal.db").read_bytes()
    (copy / "journal.db").write_bytes(data.replace(b'{"number":20,', b'{"number"\xff20,'))
    with open_journal(copy, clock=clock) as journal:
        assert numbers(journal) == [*OLD[:20], *OLD[21:], *NEW]
        assert journal.check() == ["1 of events cannot be read"]
        told = journal.read(Reader("sentry"), limit=1000)
        assert len(told.records) == 89 + 2
        assert len(list(journal.everything())) >= 89
        assert journal.losses == {}


def test_a_spool_that_lost_its_end_is_set_aside_and_counted(copy, clock):
    log = of(copy, "*-000002.db-wal")
    data = log.read_bytes()
    log.write_bytes(data[: len(data) // 2])
    with open_journal(copy, clock=clock) as journal:
        found = numbers(journal)
        assert found[:70] == [*OLD, *NEW[:10]]
        assert len(found) < 90
        assert journal.losses[SPOOL_DAMAGED] == 1
    assert of(copy, "*-000002.damaged-wal").stat().st_size == len(data) // 2


def test_useless_rows_of_a_damaged_file_are_counted(copy, clock):
    settle(copy, clock)
    data = (copy / "journal.db").read_bytes()
    (copy / "journal.db").write_bytes(data.replace(b'{"number":25,', b'{"number"\xff25,'))
    break_page(copy / "journal.db", b'"input":"5"')
    with open_journal(copy, clock=clock) as journal:
        journal.outcomes()
        assert journal.losses[UNREADABLE] == 1
        assert 25 not in numbers(journal)
        assert journal.check() == []


def damaged_root(folder, name):
    """Break the page that a table or an index begins on."""
    db = sqlite3.connect(folder / "journal.db")
    [page] = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    db.close()
    data = bytearray((folder / "journal.db").read_bytes())
    data[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    (folder / "journal.db").write_bytes(data)


def test_a_reader_that_cannot_be_noted_is_noted_in_the_new_one(copy, clock):
    settle(copy, clock)
    damaged_root(copy, "told")
    with open_journal(copy, clock=clock) as journal:
        batch = journal.read(READER)
        journal.advance(READER, batch.position, [Record(1, "slice", {"event_id": "x", "count": 1})])
        assert journal.read(READER).records[:1] != batch.records[:1]
        assert journal.losses[SET_ASIDE] == 1


def test_pruning_does_not_stop_at_damage(copy, clock):
    settle(copy, clock)
    damaged_root(copy, "transitions")
    with open_journal(copy, clock=clock) as journal:
        assert journal.prune() is not None
        assert journal.losses[SET_ASIDE] == 1
        assert numbers(journal) == [*OLD, *NEW]


def test_everything_is_told_at_the_second_asking(copy, clock):
    settle(copy, clock)
    break_page(copy / "journal.db", b'"number":20,')
    with open_journal(copy, clock=clock) as journal:
        with pytest.raises(sqlite3.DatabaseError, match="malformed"):
            list(journal.everything())
        kinds = [kind for kind, _ in journal.everything()]
        assert kinds.count("outcome") == kinds.count("attempt") == 90


def test_what_another_process_has_replaced_is_not_replaced_again(copy, clock):
    settle(copy, clock)
    with open_journal(copy, clock=clock) as one, open_journal(copy, clock=clock) as two:
        assert one.groups() == two.groups()
        one._mover.replace_damaged()
        two._mover.replace_damaged()
        assert numbers(two) == [*OLD, *NEW]
        assert two.losses == {}
    assert len([path for path in copy.glob("journal.db.damaged-*") if path.name[-4] != "-"]) == 1


def test_while_another_moves_a_damage_is_left_to_it(copy, clock):
    settle(copy, clock)
    break_page(copy / "journal.db", b'"number":20,')
    lease = FileLock.acquire(copy / "mover.lock")
    with open_journal(copy, clock=clock) as journal:
        with pytest.raises(sqlite3.DatabaseError, match="malformed"):
            journal._mend(
                lambda: journal._archive.connect().execute("SELECT * FROM events").fetchall()
            )
        lease.release()
        assert 70 < len(numbers(journal)) < 90


def test_trouble_that_is_no_damage_is_told_as_it_is(copy, clock):
    with open_journal(copy, clock=clock) as journal:
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            journal._ask(lambda db: db.execute("SELECT * FROM nowhere"))
        assert journal.losses == {}


def test_a_rescue_that_finds_no_room_leaves_the_new_one_empty(copy, clock, monkeypatch):
    settle(copy, clock)
    break_page(copy / "journal.db", b'"number":20,')

    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("tenuto.journal.rescue._go_on_from", full)
    with open_journal(copy, clock=clock) as journal:
        assert numbers(journal) == []
        assert journal.losses["nothing of it could be read: database or disk is full"] == 1
        journal.append(make_error(1000, clock))
        assert numbers(journal) == [1000]


@pytest.mark.parametrize("value", [None, -1, 2**63 - 1])
def test_a_journal_that_lost_count_of_its_records_counts_anew(copy, clock, value):
    settle(copy, clock)
    db = sqlite3.connect(copy / "journal.db")
    db.execute("PRAGMA writable_schema = ON")
    db.execute(
        "UPDATE sqlite_master SET sql = 'CREATE TABLE sequence (value)' WHERE name = 'sequence'"
    )
    db.commit()
    db.close()
    db = sqlite3.connect(copy / "journal.db")
    db.execute("UPDATE sequence SET value = ?", (value,))
    db.commit()
    db.close()
    with open_journal(copy, clock=clock) as journal:
        journal.append(make_error(1000, clock))
        assert numbers(journal) == [*OLD, *NEW, 1000]
        assert journal.losses[SET_ASIDE] == 1
        assert UNREADABLE not in journal.drops()


def test_a_place_that_cannot_be_is_not_rescued(copy, clock):
    settle(copy, clock)
    db = sqlite3.connect(copy / "journal.db")
    db.execute("UPDATE events SET seq = ? WHERE seq = (SELECT min(seq) FROM events)", (2**63 - 1,))
    db.execute("UPDATE sequence SET value = -1")
    db.commit()
    db.close()
    with open_journal(copy, clock=clock) as journal:
        journal.append(make_error(1000, clock))
        assert numbers(journal) == [*OLD[1:], *NEW, 1000]
        assert journal.losses[UNREADABLE] == 1


def test_what_is_taken_for_a_full_disk_is_looked_into_once_an_hour(copy, clock, monkeypatch):
    settle(copy, clock)
    with open_journal(copy, clock=clock) as journal:

        def full(*_):
            raise sqlite3.OperationalError("database or disk is full")

        damaged_root(copy, "transitions")
        journal._archive.close()
        monkeypatch.setattr("tenuto.journal.mover.Applier.finish", full)
        journal.append(make_error(1000, clock))
        monkeypatch.setattr("tenuto.journal.archive.Archive.set_aside", full)
        assert journal.move() is Moved.FAILED  # it is damaged, and cannot be set aside either
        assert journal.move() is Moved.FAILED  # nor is that looked into again
        monkeypatch.undo()
        assert journal.move() is Moved.ALL
        assert SET_ASIDE not in journal.losses
        clock.advance(3600)
        monkeypatch.setattr("tenuto.journal.mover.Mover._copy_rows", full)
        assert journal.move() is Moved.FAILED
        assert journal.losses[SET_ASIDE] == 1


def test_a_copy_that_cannot_be_added_to_is_done_without(copy, clock, monkeypatch):
    settle(copy, clock)
    db = sqlite3.connect(copy / "journal.db")
    db.execute("UPDATE sequence SET value = -1")
    db.commit()
    db.close()
    lease = FileLock.acquire(copy / "mover.lock")
    with open_journal(copy, clock=clock) as journal:
        journal.append(make_error(1000, clock))
        assert numbers(journal) == [1000]
        lease.release()
        assert numbers(journal) == [*OLD, *NEW, 1000]
