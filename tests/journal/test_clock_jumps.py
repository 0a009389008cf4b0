"""Somebody sets the clock, forward and back: nothing is lost for it, and nobody waits for it."""

from __future__ import annotations

import random

from tenuto.journal import SETTLED_AFTER, Journal, Outcome, Reader, Transition, open_journal
from tests.thoroughness import examples

DAY = 86_400.0
OWN, NAMED, SETTLED = Reader("log", own=True), Reader("bus"), Reader("sentry", settled=True)


def drain(journal, reader):
    """All that a reader is told, and how many repeats."""
    told, repeats = [], 0
    while (batch := journal.read(reader)).records:
        for record in batch.records:
            if record.kind == "event":
                told.append(record.body["context"]["number"])
            elif record.kind == "slice":
                repeats += record.untold
        journal.advance(reader, batch.position, batch.records)
    return told, repeats


def test_readers_are_told_in_the_order_in_which_it_was_written(journal, clock, event):
    for number, hours in enumerate([0, -5, 48, -100, 0.001]):
        clock.set_wall_clock(clock.now() + hours * 3600)
        journal.append(event(number=number))
    assert drain(journal, OWN)[0] == drain(journal, NAMED)[0] == [0, 1, 2, 3, 4]


def test_a_reader_that_waits_for_repeats_to_end_does_not_wait_for_the_lost_hours(
    journal, clock, event
):
    for number in range(40):
        told = event(number=number)
        if journal.fold(told.fingerprint, told.context) is None:
            journal.append(told)
    assert drain(journal, SETTLED) == (list(range(32)), 0)  # the slice may still grow
    clock.set_wall_clock(clock.now() - DAY)
    clock.advance(SETTLED_AFTER)
    journal.append(event("engine", number=99))
    assert drain(journal, SETTLED) == ([99], 8)


def test_repeats_before_and_after_have_a_first_and_a_last(journal, clock, event):
    start = clock.now()
    for number in range(40):
        told = event(number=number)
        if journal.fold(told.fingerprint, told.context) is None:
            journal.append(told)
        clock.set_wall_clock(start + (-1) ** number * number)
    [group] = journal.groups()
    [part] = [r.body for r in journal.read(NAMED).records if r.kind == "slice"]
    assert (part["first"], part["last"]) == (start - 37, start + 38)
    assert (group.first, group.last) == (start - 37, start + 38)
    assert group.count == 40


def test_old_is_by_the_clock_as_it_is_now(journal, clock, event):
    clock.set_wall_clock(clock.now() + 3650 * DAY)  # a flat battery, ten years on
    for number in range(20):
        journal.append(event(number=number))
    clock.set_wall_clock(clock.now() - 3650 * DAY)
    journal.append(event(number=20))
    journal.prune()
    assert len(journal.events()) == 21
    clock.advance(89 * DAY)
    journal.prune()
    assert len(journal.events()) == 21


def test_the_hourly_pruning_goes_by_hours_that_have_passed(journal, clock, event):
    for number in range(20):
        journal.append(event(number=number))
    journal.move()
    clock.set_wall_clock(clock.now() + 200 * DAY)
    clock.advance(61)
    journal.move()
    assert len(journal.events()) < 20  # as old as the clock says
    clock.set_wall_clock(clock.now() - 400 * DAY)
    journal.append(event("engine"))
    clock.advance(3601)
    journal.move()
    assert journal.events(limit=1)
    assert journal.losses == {}


def test_the_latest_state_is_the_one_that_was_written_last(journal, clock):
    journal.record(
        Transition(policy="hub", before="closed", after="open", detail={"state": "open"})
    )
    clock.set_wall_clock(clock.now() - DAY)
    journal.record(
        Transition(policy="hub", before="open", after="closed", detail={"state": "closed"})
    )
    assert journal.latest_states("hub")["hub"].after == "closed"


def test_leases_do_not_know_the_time(private_journal, clock):
    with Journal(private_journal, clock=clock) as one, Journal(private_journal, clock=clock) as two:
        with one.lease(NAMED) as mine:
            clock.set_wall_clock(clock.now() + 3650 * DAY)
            with two.lease(NAMED) as theirs:
                assert (mine, theirs) == (True, False)
        with two.lease(NAMED) as theirs:
            assert theirs


def test_two_damaged_files_of_one_moment_are_both_kept(private_journal, clock, event):
    for rubbish in (b"no database" * 1000, b"nor this one" * 1000):
        private_journal.mkdir(exist_ok=True)
        (private_journal / "journal.db").write_bytes(rubbish)
        clock.set_wall_clock(1_700_000_000.0)
        with open_journal(private_journal, clock=clock) as journal:
            journal.append(event())
            assert journal.groups()
    aside = {path.read_bytes()[:6] for path in private_journal.glob("journal.db.damaged-*")}
    assert {b"no dat", b"nor th"} <= aside


def test_whatever_the_clock_does_every_count_is_exact(tmp_path, clock, event):
    dice = random.Random(11)
    for turn in range(examples(4)):
        with Journal(tmp_path / f"j{turn}", clock=clock) as journal:
            told: dict[str, int] = {"bus": 0, "sentry": 0}
            for number in range(150):
                if dice.random() < 0.1:
                    clock.set_wall_clock(1_700_000_000 + dice.uniform(-1, 1) * 40 * DAY)
                clock.advance(dice.choice([0.0, 0.01, 1.0, 11.0]))
                made = event(dice.choice(["decode", "engine"]), number=number)
                if journal.fold(made.fingerprint, made.context) is None:
                    journal.append(made)
                journal.record(Outcome(input=f"{number}", output=None, status="enhanced"))
                if dice.random() < 0.05:
                    for reader in (NAMED, SETTLED):
                        whole, repeats = drain(journal, reader)
                        told[reader.name] += len(whole) + repeats
            clock.advance(SETTLED_AFTER)
            for reader in (NAMED, SETTLED):
                whole, repeats = drain(journal, reader)
                told[reader.name] += len(whole) + repeats
            assert told == {"bus": 150, "sentry": 150}
            assert sum(group.count for group in journal.groups()) == 150
            assert [outcome.input for outcome in journal.outcomes()] == list(map(str, range(150)))
            assert journal.losses == journal.drops() == {}
