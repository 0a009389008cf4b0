"""What policies do, in the journal: everything counted, and storms in a few rows."""

from __future__ import annotations

import pytest

from tenuto.errors import CallTimeoutError, FaultClass, RateLimitedError
from tenuto.journal import AttemptEnd
from tenuto.policies import EventKind, PolicyEvent
from tenuto.reporting import ErrorReporter, PolicyNotes


@pytest.fixture
def notes(journal, clock):
    return PolicyNotes(ErrorReporter("speech", journal=journal, clock=clock, log=False))


def counts(journal):
    return {(tally.policy, tally.name, tally.what): tally.count for tally in journal.tallies()}


def test_a_storm_of_refusals_is_counted_and_costs_few_rows(notes, journal, clock):
    for _ in range(1000):
        refusal = RateLimitedError(service="hub", retry_after=2.0)
        notes(
            PolicyEvent(
                EventKind.REFUSED,
                "rate limit",
                "hub",
                error=refusal,
                fault_class=FaultClass.INFRASTRUCTURE,
                wait=2.0,
                limit=8,
            )
        )
        clock.advance(0.015)
    assert counts(journal) == {("rate limit", "hub", "refused"): 1000}
    rows = journal.attempts()
    assert len(rows) == 2
    assert {(row.work, row.step, row.ended) for row in rows} == {
        ("hub", "rate limit", AttemptEnd.REFUSED)
    }
    assert {(row.wait, row.duration) for row in rows} == {(2.0, None)}


def test_each_name_has_rows_of_its_own_but_endless_names_have_not(notes, journal):
    for number in range(1100):
        notes(PolicyEvent(EventKind.SUPPRESSED, "retry", f"hub {number}", attempt=3))
    rows = journal.attempts()
    assert len(rows) == 1024
    assert {(row.number, row.ended) for row in rows} == {(3, AttemptEnd.REFUSED)}


def test_calls_that_took_too_long_are_rows_with_their_limit(notes, journal):
    late = CallTimeoutError("hub", 5.0)
    notes(PolicyEvent(EventKind.TIMED_OUT, "timeout", "a", error=late, limit=5.0))
    notes(PolicyEvent(EventKind.OVERRAN, "timeout", "b", limit=5.0))
    notes(PolicyEvent(EventKind.OVERRAN, "timeout", "c", error=ValueError(), limit=5.0))
    ends = {row.work: row.ended for row in journal.attempts()}
    assert ends == {
        "a": AttemptEnd.FAILED,
        "b": AttemptEnd.SUCCEEDED,
        "c": AttemptEnd.FAILED,
    }
    assert {row.duration for row in journal.attempts()} == {5.0}


def test_a_limit_that_moves_is_a_transition_now_and_then(notes, journal, clock):
    for limit in range(20, 0, -1):
        notes(PolicyEvent(EventKind.LIMIT_CHANGED, "concurrency limit", "hub", limit=limit))
        clock.advance(1)
    assert [(each.before, each.after) for each in journal.transitions("hub")] == [
        ("20 at once", "10 at once"),
        ("", "20 at once"),
    ]
    notes(PolicyEvent(EventKind.LIMIT_CHANGED, "concurrency limit", "other"))
    assert journal.transitions("other") == []


def test_what_only_happens_often_is_only_counted(notes, journal):
    for kind in (EventKind.HEDGED, EventKind.RECOVERED, EventKind.DELAYED):
        notes(PolicyEvent(kind, "some", "hub"))
    assert {what for _, _, what in counts(journal)} == {"hedged", "recovered", "delayed"}
    assert journal.attempts() == journal.transitions("hub") == []


def test_what_a_shadow_would_have_done_is_counted_apart(notes, journal):
    notes(PolicyEvent(EventKind.REFUSED, "breaker", "hub", shadow=True))
    assert counts(journal) == {("breaker", "hub", "shadow_refused"): 1}
    assert journal.attempts() == []
