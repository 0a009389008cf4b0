"""Readers have a cursor each, and are told everything at least once, in order."""

from __future__ import annotations

import sqlite3

import pytest

from tenuto.journal import Foreign, Journal, Outcome, Reader, Record, Transition

OWN = Reader("log", own=True)
ALL = Reader("sentry")


def numbers(batch):
    return [record.body["context"]["number"] for record in batch.records]


@pytest.mark.parametrize("reader", [OWN, ALL])
def test_a_batch_is_told_again_until_the_reader_advances(journal, event, reader):
    for number in range(5):
        journal.append(event(number=number))
    first = journal.read(reader, 3)
    assert numbers(first) == [0, 1, 2]
    assert journal.read(reader, 3) == first
    journal.advance(reader, first.position)
    second = journal.read(reader, 3)
    assert numbers(second) == [3, 4]
    journal.advance(reader, second.position)
    assert journal.read(reader, 3).records == ()
    assert journal.read(reader, 3).position == second.position


def test_readers_do_not_disturb_each_other(journal, event):
    journal.append(event())
    journal.advance(ALL, journal.read(ALL).position)
    assert len(journal.read(Reader("metrics")).records) == 1


def test_a_named_cursor_outlives_the_process(private_journal, event):
    with Journal(private_journal) as journal:
        journal.append(event(number=1))
        journal.advance(ALL, journal.read(ALL).position)
    with Journal(private_journal) as journal:
        journal.append(event(number=2))
        assert numbers(journal.read(ALL)) == [2]
        assert numbers(journal.read(Reader("new"))) == [1, 2]


def test_an_own_reader_is_told_nothing_of_others(private_journal, event):
    with Journal(private_journal) as mine, Journal(private_journal) as other:
        mine.append(event(number=1))
        other.append(event(number=2))
        mine.groups()
        assert numbers(mine.read(OWN)) == [1]
        assert sorted(numbers(mine.read(ALL))) == [1, 2]


def test_an_own_reader_finds_records_wherever_they_have_gone(
    private_journal, event, monkeypatch, clock
):
    monkeypatch.setattr("tenuto.journal.writer._ROTATE_IN_PEACE", 1)
    with Journal(private_journal, clock=clock) as journal:
        for number in range(4):
            journal.append(event(number=number))
            journal.flush()  # each in a spool of its own
            if number < 2:
                journal.move()  # the first two are in the archive alone
        journal.append(event(number=4))
        told = []
        while (batch := journal.read(OWN, 2)).records:
            told += numbers(batch)
            journal.advance(OWN, batch.position)
        assert told == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("moved", [False, True])
def test_what_is_not_for_readers_is_passed_over(journal, event, moved):
    for number in range(10):
        journal.record(Outcome(input=str(number), output=None, status="enhanced"))
    journal.append(event(number=1))
    journal.record(Transition(policy="api", before="closed", after="open"))
    if moved:
        journal.move()
    batch = journal.read(OWN, 5)
    assert batch.records == ()
    journal.advance(OWN, batch.position)
    journal.advance(OWN, journal.read(OWN, 5).position)
    assert [record.kind for record in journal.read(OWN, 5).records] == ["event", "transition"]
    assert [record.kind for record in journal.read(ALL, 5).records] == ["event", "transition"]


@pytest.mark.parametrize("reader", [OWN, ALL])
def test_a_growing_slice_is_told_again_with_a_higher_revision(journal, event, reader):
    told = event()
    for _ in range(32):
        journal.append(told)
        journal.fold(told.fingerprint, {})
    seen = []
    for _ in range(3):
        for _ in range(5):
            journal.fold(told.fingerprint, {})
        journal.flush()
        batch = journal.read(reader)
        seen += [each.body for each in batch.records if each.kind == "slice"]
        journal.advance(reader, batch.position)
    assert [part["revision"] for part in seen] == sorted({part["revision"] for part in seen})
    assert [part["count"] for part in seen] == sorted(part["count"] for part in seen)
    assert len({part["event_id"] for part in seen}) == 1


def test_a_reader_can_ask_when_a_group_was_last_seen_before_a_record(journal, event, clock):
    for kind in ("decode", "decode", "encode"):
        journal.append(event(kind))
        clock.advance(10)
    records = journal.read(ALL).records
    seen = [journal.seen_before(each.body["fingerprint"], each.position) for each in records]
    assert seen == [None, records[0].body["time"], None]


def test_what_is_lost_together_is_counted_together(journal):
    journal.count_loss("refused", 3)
    journal.count_loss("refused")
    assert journal.losses == {"refused": 4}


def test_what_cannot_be_written_down_leaves_the_reader_where_it_was(journal, event):
    journal.append(event())
    batch = journal.read(ALL)
    broken = Record(batch.position, "slice", {})
    with pytest.raises(KeyError):
        journal.advance(ALL, batch.position, [broken])
    assert journal.read(ALL) == batch


def test_records_of_other_machines_are_taken_in_all_or_none(journal, event):
    good = Foreign("other", 1, "p", "event", event().to_dict())
    with pytest.raises(TypeError):
        journal.collect([good, Foreign("other", 2, "p", "event", {"x": object()})])
    assert journal.groups() == []
    assert journal.collect([good, good]) == 1
    assert journal.groups()[0].count == 1


def test_a_reader_that_is_gone_for_good_is_let_go_of(journal, event, clock):
    journal.append(event())
    journal.read(ALL)
    journal.note_trouble(ALL, "no route")
    assert journal.forget("sentry")
    assert journal.standings() == []
    assert not journal.forget("sentry")
    assert len(journal.read(ALL).records) == 1  # whoever comes again begins anew


def test_what_only_a_forgotten_reader_had_still_to_hear_may_go(journal, event, clock):
    for kind in ("decode", "encode"):
        for number in range(40):
            journal.append(event(kind, number=number))
    journal.read(ALL)
    clock.advance(400 * 86400)
    before = len(journal.events(limit=1000))
    journal.prune()
    assert len(journal.events(limit=1000)) == before
    journal.forget("sentry")
    journal.prune()
    assert len(journal.events(limit=1000)) < before


def test_a_reader_that_cannot_be_let_go_of_stays(journal, event, monkeypatch):
    journal.read(ALL)
    db = journal._archive.connect()
    db.execute("CREATE TRIGGER no BEFORE DELETE ON cursors BEGIN SELECT raise(ABORT, 'no'); END")
    with pytest.raises(sqlite3.IntegrityError):
        journal.forget("sentry")
    assert not db.in_transaction
    assert [each.reader for each in journal.standings()] == ["sentry"]
