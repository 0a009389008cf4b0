"""What keeps a reader is in the journal, and what a server asked of one process binds the next."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tenuto import ErrorReporter
from tenuto.errors import ExternalServiceError
from tenuto.journal import Attempt, Reader, open_journal
from tenuto.reporting.delivery import NotYet, delivery


class Destination:
    """Raises what it is told to; otherwise takes what comes."""

    def __init__(self, *errors):
        self.reader = Reader("somewhere")
        self.errors = list(errors)
        self.asked = 0

    def receive(self, record):
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)


def standing(journal):
    (found,) = journal.standings()
    return found


def test_who_does_not_answer_is_known_with_the_reason_until_it_does(journal, report, clock):
    began = clock.now()
    destination = Destination(*[ConnectionError("no route")] * 2)
    way = delivery(journal, destination)
    report()
    assert not way.deliver()
    clock.advance(60)
    assert not way.deliver()
    assert standing(journal).trouble == "ConnectionError: no route"
    assert (standing(journal).failing_since, standing(journal).refused_until) == (began, None)
    clock.advance(60)
    assert way.deliver()
    assert standing(journal).trouble is None
    assert standing(journal).lag == 0


def test_who_wants_to_be_left_alone_is_left_alone_by_the_next_process_too(journal, report, clock):
    report()
    busy = Destination(ExternalServiceError("hub", 90.0, message="over the quota"))
    assert not delivery(journal, busy).deliver()
    assert standing(journal).refused_until == clock.now() + 90
    with open_journal(journal.path, clock=clock) as again:
        other = Destination()
        way = delivery(again, other)
        clock.advance(89)
        assert not way.deliver()
        assert other.asked == 0
        assert "over the quota" in way.trouble
        clock.advance(2)
        assert way.deliver()
        assert other.asked == 1


def test_who_did_not_answer_another_process_is_asked_again_at_once(journal, report):
    report()
    assert not delivery(journal, Destination(ConnectionError("no route"))).deliver()
    assert delivery(journal, Destination()).deliver()


def test_a_clock_that_was_set_back_holds_nothing_for_ever(journal, report, clock):
    report()
    destination = Destination()
    journal.read(destination.reader)
    year = 366 * 86_400.0
    journal.note_trouble(destination.reader, "over the quota", refused_until=clock.now() + year)
    way = delivery(journal, destination)
    assert not way.deliver()
    clock.advance(86_400)
    assert way.deliver()


def test_another_readers_refusal_is_its_own(journal, report, clock):
    report()
    other = Reader("elsewhere")
    journal.read(other)
    journal.note_trouble(other, "over the quota", refused_until=clock.now() + 60)
    assert delivery(journal, Destination()).deliver()


@pytest.mark.parametrize(
    "error", [ConnectionError("password=hunter2\n\x1b[2J"), ValueError("token=hunter2\n\x1b[2J")]
)
def test_the_reason_is_one_line_without_secrets(journal, report, error):
    report()
    delivery(journal, Destination(error)).deliver()
    trouble = standing(journal).trouble
    assert trouble.startswith(f"{type(error).__name__}: ")
    assert "hunter2" not in trouble
    assert trouble.isprintable()


def test_one_that_waits_for_its_time_is_in_no_trouble(journal, report):
    report()
    assert not delivery(journal, Destination(NotYet(5))).deliver()
    assert (standing(journal).lag, standing(journal).trouble) == (1, None)


def test_what_is_passed_over_leaves_no_trouble_behind(journal, report):
    report()
    way = delivery(journal, Destination(*[ValueError("never")] * 3))
    assert [way.deliver() for _ in range(2)] == [False, False]
    assert standing(journal).trouble == "ValueError: never"
    journal.clock.advance(600)
    while not way.deliver():
        journal.clock.advance(600)
    assert standing(journal).trouble is None
    assert list(journal.losses.values()) == [1]


class Listener(Destination):
    """Of this process alone."""

    def __init__(self, *errors):
        super().__init__(*errors)
        self.reader = Reader("log", own=True)


def test_what_is_for_no_listener_does_not_hold_up_what_is(journal, report):
    for number in range(300):
        attempt = journal.open_attempt(Attempt(work=f"{number}", step="decode"))
        journal.close_attempt(attempt, "succeeded")
    report()
    log = Listener()
    assert delivery(journal, log).deliver()
    assert log.asked == 1


@pytest.mark.parametrize("spoilt", [(5, 8), (5, 120), (249, 251)])
def test_records_that_cannot_be_read_are_passed_over_and_the_rest_is_told(journal, report, spoilt):
    for number in range(250):
        report(fingerprint=f"kind {number}")
    journal.move()
    with closing(sqlite3.connect(journal.path / "journal.db")) as db, db:
        db.execute("UPDATE events SET body = 'x' || body WHERE seq >= ? AND seq < ?", spoilt)
    destination = Destination()
    assert delivery(journal, destination).deliver()
    assert destination.asked == 250 - (spoilt[1] - spoilt[0])
    assert standing(journal).lag == 0


def test_what_a_server_asked_of_one_process_binds_those_that_are_at_work_too(
    journal, report, clock
):
    refusal = ExternalServiceError("hub", 600.0, message="over the quota")
    with open_journal(journal.path, clock=clock) as another:
        first, second = Destination(refusal), Destination()
        ways = [delivery(journal, first), delivery(another, second)]
        assert all(way.deliver() for way in ways)  # there is nothing to say yet
        report()
        assert not any(way.deliver() for way in ways)
        clock.advance(599)
        assert not any(way.deliver() for way in ways)
        assert (first.asked, second.asked) == (1, 0)
        clock.advance(2)
        assert [way.deliver() for way in ways] == [True, True]
        assert first.asked + second.asked == 2


def test_what_an_outer_layer_adds_is_told_too(journal, clock):
    reporter = ErrorReporter("speech", journal=journal, log=False, clock=clock)
    error = ConnectionError("down")
    reporter.report(error, {"policy": "hub"})
    reporter.report(error, {"audio_id": "a17"})
    (told,) = journal.read(Reader("somewhere")).records
    assert told.body["context"] == {"policy": "hub", "audio_id": "a17"}
    exported = [body for kind, body in journal.everything() if kind == "event"]
    assert [body["context"] for body in exported] == [told.body["context"]]
