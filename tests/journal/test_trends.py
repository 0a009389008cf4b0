"""Whether a fault is getting worse is said honestly, and for as many errors as there may be."""

from __future__ import annotations

import sqlite3

import pytest

from tenuto.journal import Direction, Foreign, Journal, Retention

MINUTE, HOUR = 60.0, 3600.0


@pytest.fixture
def happen(journal, event, clock):
    """Let an error happen ``times`` an hour for ``hours``; time passes."""

    def make(times, hours=1.0, kind="decode"):
        group = event(kind).fingerprint
        for _ in range(round(times * hours)):
            clock.advance(HOUR / times)
            if journal.fold(group, {}) is None:
                journal.append(event(kind))

    return make


def trend(journal):
    (found,) = journal.trends().values()
    return found


def test_a_fault_first_seen_within_the_hour_is_new_however_often_it_was_seen(journal, happen):
    happen(1000, 0.5)
    assert trend(journal).direction is Direction.NEW
    assert trend(journal).hours == (*[0] * 23, 500)


@pytest.mark.parametrize(
    ("before", "lately", "direction"),
    [
        (2, 2, Direction.STEADY),
        (2, 3, Direction.STEADY),  # twice as often would be needed
        (1, 4, Direction.STEADY),  # and more than chance
        (10, 18, Direction.STEADY),
        (10, 40, Direction.RISING),
        (200, 1200, Direction.RISING),
        (20, 12, Direction.STEADY),
        (30, 2, Direction.FALLING),
        (300, 30, Direction.FALLING),
    ],
)
def test_the_last_hour_is_compared_with_those_before(journal, happen, before, lately, direction):
    happen(before, 12)
    happen(lately, 1)
    assert trend(journal).direction is direction


def test_one_that_was_seen_no_more_is_quiet_and_then_back(journal, happen, clock):
    happen(30, 2)
    clock.advance(HOUR)
    assert trend(journal).direction is Direction.QUIET
    clock.advance(30 * HOUR)
    assert trend(journal).hours == (0,) * 24
    happen(2)
    assert trend(journal).direction is Direction.BACK


def test_a_bar_is_an_hour_and_the_last_ends_now(journal, happen, clock):
    happen(12, 1)
    clock.advance(2 * HOUR)
    happen(6, 1)
    hours = trend(journal).hours
    assert sum(hours) == 18
    assert hours[-1] in (5, 6)
    assert hours[-3] == 0
    assert sum(hours[-6:]) == 18


def test_repeats_count_in_the_hour_they_happened(journal, event, happen, clock):
    happen(3600, 1)  # a storm: most are only counted
    assert len(journal.events(limit=10_000)) < 1000
    assert sum(trend(journal).hours) == 3600
    assert trend(journal).hours[-1] > 2900


def test_a_clock_that_was_set_back_leaves_no_error_out(journal, event, clock):
    journal.append(event())
    with Journal(journal.path, clock=type(clock)(start=clock.now() - 5 * HOUR)) as earlier:
        assert trend(earlier).hours[-1] == 1
        assert trend(earlier).direction is Direction.NEW


def test_groups_have_trends_of_their_own(journal, happen):
    happen(5, kind="decode")
    happen(2, kind="encode")
    assert sorted(sum(found.hours) for found in journal.trends().values()) == [2, 5]


def test_what_is_too_old_for_a_trend_goes_and_nothing_else(journal, happen, clock):
    happen(10, 2)
    clock.advance(30 * HOUR)
    happen(10, 2)
    before = journal.trends()
    journal.prune(Retention())
    with sqlite3.connect(journal.path / "journal.db") as db:
        (oldest,) = db.execute("SELECT min(start) FROM recent").fetchone()
    db.close()
    assert oldest * 600 > clock.now() - 26 * HOUR
    assert journal.trends() == before
    assert journal.groups()[0].count == 40


def test_an_older_journal_learns_its_trends_from_what_it_has(private_journal, event, clock):
    with Journal(private_journal, clock=clock) as journal:
        for _ in range(40):
            clock.advance(5 * MINUTE)
            seen = event()
            if journal.fold(seen.fingerprint, {}) is None:
                journal.append(seen)
        before = journal.trends()
    with sqlite3.connect(private_journal / "journal.db") as db:
        db.executescript("DROP TABLE recent; DROP TABLE troubles; PRAGMA user_version = 2")
    db.close()
    with Journal(private_journal, clock=clock) as journal:
        assert journal.trends() == before


def test_a_central_journal_knows_the_trend_of_all(journal, event):
    bodies = [event(number=number).to_dict() for number in range(3)]
    journal.collect([Foreign("far", n, "p", "event", body) for n, body in enumerate(bodies)])
    assert sum(trend(journal).hours) == 3


def test_a_time_that_makes_no_sense_hurts_nobody(journal, event):
    bodies = [
        {**event(number=n).to_dict(), "id": str(n), "time": t}
        for n, t in enumerate((1e300, -1e300, 0.0))
    ]
    journal.collect([Foreign("far", n, "p", "event", body) for n, body in enumerate(bodies)])
    assert len(trend(journal).hours) == 24


@pytest.mark.parametrize("before", [1, 10, 60])
def test_one_that_was_first_seen_just_before_the_hour_and_often_since_does_not_fall(
    journal, event, clock, before
):
    clock.advance(600 - clock.now() % 600 + 600 - before)
    journal.append(event())
    clock.advance(before)
    for _ in range(6):
        clock.advance(500)
        journal.append(event())
    assert trend(journal).direction is not Direction.FALLING
