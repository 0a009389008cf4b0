"""How far each reader has come, and what keeps it, is in the journal for anybody to see."""

from __future__ import annotations

import pytest

from tenuto.journal import Journal, Outcome, OutcomeStatus, Reader, Transition

ERRORS = Reader("sentry")
ALL = Reader("redis", everything=True)


def standing(journal):
    (found,) = journal.standings()
    return found


def test_nobody_follows_a_new_journal(journal):
    assert journal.standings() == []


def test_one_that_has_been_told_of_everything_is_behind_by_nothing(journal, event):
    journal.append(event())
    batch = journal.read(ERRORS)
    journal.advance(ERRORS, batch.position, batch.records)
    found = standing(journal)
    assert (found.reader, found.position, found.lag) == ("sentry", batch.position, 0)
    assert found.behind_since is None


def test_one_that_is_behind_is_so_since_the_first_record_it_was_not_told_of(journal, event, clock):
    for _ in range(3):
        journal.append(event())
        clock.advance(10)
    first, *_ = journal.read(ERRORS).records
    journal.advance(ERRORS, first.position)
    found = standing(journal)
    assert (found.lag, found.behind_since) == (2, clock.now() - 20)
    assert found.trouble is None


@pytest.mark.parametrize("reader", [ERRORS, ALL])
def test_only_readers_of_everything_are_behind_by_counts_and_outcomes(journal, event, reader):
    journal.read(reader)
    journal.append(event())
    journal.record(Transition(policy="hub", before="closed", after="open"))
    journal.record(Outcome(input="a", output=None, status=OutcomeStatus.QUARANTINED))
    journal.count("retry", "hub", "retried")
    assert standing(journal).lag == len(journal.read(reader).records)
    assert standing(journal).lag == (4 if reader.everything else 2)


def test_counts_alone_are_behind_since_nobody_knows_when(journal):
    journal.read(ALL)
    journal.count("retry", "hub", "retried")
    assert (standing(journal).lag, standing(journal).behind_since) == (1, None)


def test_what_keeps_a_reader_is_known_to_other_processes_until_it_is_told_again(
    journal, event, clock
):
    began = clock.now()
    journal.append(event())
    batch = journal.read(ERRORS)
    journal.note_trouble(ERRORS, "it did not answer")
    clock.advance(60)
    journal.note_trouble(ERRORS, "over the quota", refused_until=clock.now() + 30)
    with Journal(journal.path, clock=clock) as other:
        found = standing(other)
    assert (found.trouble, found.failing_since) == ("over the quota", began)
    assert found.refused_until == clock.now() + 30
    journal.advance(ERRORS, batch.position, batch.records)
    found = standing(journal)
    assert (found.trouble, found.failing_since, found.refused_until) == (None, None, None)


def test_one_readers_trouble_is_not_anothers(journal, event):
    journal.append(event())
    journal.read(ERRORS)
    journal.read(ALL)
    journal.note_trouble(ERRORS, "it did not answer")
    journal.advance(ALL, journal.read(ALL).position)
    assert {each.reader: each.trouble for each in journal.standings()} == {
        "sentry": "it did not answer",
        "redis": None,
    }
