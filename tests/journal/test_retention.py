"""What a journal lets go of, and what it keeps longest."""

from __future__ import annotations

import pytest

from tenuto.errors import ConfigurationError
from tenuto.journal import Journal, Outcome, OutcomeStatus, Reader, Retention, Transition
from tenuto.journal.retention import UNTOLD

DAY = 86_400.0


@pytest.fixture
def numbers(journal):
    def kept(kind):
        found = [each for each in journal.events(limit=10_000) if kind in each.message]
        return sorted(each.context["number"] for each in found)

    return kept


def put(journal, event, clock, kind, count, *, apart=DAY):
    for number in range(count):
        journal.append(event(kind, number))
        clock.advance(apart)


def test_nothing_young_goes_while_there_is_room(journal, event, clock):
    put(journal, event, clock, "decode", 20)
    assert journal.prune().rows == 0
    assert len(journal.events()) == 20


def test_of_a_common_fault_the_first_and_the_last_outlive_the_others(
    journal, event, clock, numbers
):
    put(journal, event, clock, "decode", 30)
    clock.advance(80 * DAY)
    assert journal.prune().rows == 19
    assert numbers("decode") == [0, *range(20, 30)]
    assert journal.groups()[0].count == 30


def test_a_rare_fault_is_kept_whole(journal, event, clock, numbers):
    put(journal, event, clock, "odd", 3)
    clock.advance(100 * DAY)
    journal.prune()
    assert numbers("odd") == [0, 1, 2]


def test_a_fault_nobody_has_seen_for_twice_as_long_is_forgotten(journal, event, clock):
    put(journal, event, clock, "odd", 3)
    clock.advance(200 * DAY)
    journal.prune()
    assert journal.groups() == []


def test_what_a_reader_has_not_been_told_of_stays(journal, event, clock, numbers):
    reader = Reader("sentry")
    journal.read(reader)  # it is known, and has read nothing yet
    put(journal, event, clock, "decode", 30)
    clock.advance(100 * DAY)
    assert journal.prune().rows == 0
    batch = journal.read(reader, 25)
    journal.advance(reader, batch.position, batch.records)
    journal.prune()
    assert numbers("decode") == [0, *range(25, 30)]


def test_past_its_size_the_newest_of_each_group_stay(journal, event, clock, numbers):
    put(journal, event, clock, "decode", 300, apart=1.0)
    put(journal, event, clock, "odd", 2, apart=1.0)
    size = journal.prune().bytes
    pruned = journal.prune(Retention(max_bytes=size // 2))
    assert pruned.bytes <= size // 2
    assert numbers("odd") == [0, 1]
    kept = numbers("decode")
    assert kept[0] == 0
    assert kept[1:] == list(range(300 - len(kept) + 1, 300))
    assert journal.groups()[0].count == 300


def test_a_dead_reader_does_not_fill_the_disk_and_what_it_misses_is_counted(journal, event, clock):
    journal.read(Reader("dead"))
    put(journal, event, clock, "decode", 300, apart=1.0)
    size = journal.prune().bytes
    journal.prune(Retention(max_bytes=size // 2))
    assert journal.drops()[UNTOLD] == 300 - len(journal.events(limit=1000))


def test_where_errors_are_not_what_fills_it_the_oldest_of_the_rest_go(journal, clock):
    for number in range(10_000):
        outcome = Outcome(input=f"{number}.wav", output=None, status=OutcomeStatus.QUARANTINED)
        journal.record(outcome)
    size = journal.prune().bytes
    assert journal.prune(Retention(max_bytes=size // 2)).bytes <= size // 2
    assert journal.outcomes()[-1].input == "9999.wav"


def test_the_last_state_of_a_policy_is_always_known(journal, clock):
    for before, after in [("closed", "open"), ("open", "closed")]:
        journal.record(Transition(policy="hub", before=before, after=after))
    clock.advance(400 * DAY)
    journal.prune()
    assert [change.after for change in journal.transitions("hub")] == ["closed"]


def test_it_is_done_once_an_hour_without_being_asked_for(private_journal, event, clock):
    with Journal(private_journal, retention=Retention(max_age=10.0), clock=clock) as journal:
        put(journal, event, clock, "decode", 15, apart=0.0)
        journal.move()
        clock.advance(15.0)
        journal.move()
        assert len(journal.events()) == 15
        clock.advance(60.0)
        journal.move()
        assert journal.groups() == []


def test_somebody_elses_lease_is_respected(journal, private_journal):
    from tenuto.journal.locks import FileLock

    journal.move()
    lease = FileLock.acquire(private_journal / "mover.lock")
    assert journal.prune() is None
    lease.release()
    assert journal.prune() is not None


@pytest.mark.parametrize("setting", ["max_age", "max_bytes"])
def test_a_limit_of_nothing_is_refused(setting):
    with pytest.raises(ConfigurationError, match=setting):
        Retention(**{setting: 0})
