"""What the journal knows around one error."""

from __future__ import annotations

from tenuto.journal import Outcome, OutcomeStatus, Transition


def outcome(name, *errors):
    return Outcome(input=name, output=None, status=OutcomeStatus.QUARANTINED, errors=errors)


def test_the_outcome_of_an_error_is_that_of_the_input_it_was_met_on(journal):
    for each in (outcome("a", "e1", "e2"), outcome("b", "e3"), outcome("c")):
        journal.record(each)
    assert journal.outcome_of("e2").input == "a"
    assert journal.outcome_of("e3").input == "b"
    assert journal.outcome_of("e") is None
    assert journal.outcome_of("") is None


def test_a_repeat_has_an_outcome_of_its_own(journal):
    journal.record(outcome("a", "e1"))
    journal.record(outcome("b", "e1-7"))
    assert journal.outcome_of("e1").input == "a"
    assert journal.outcome_of("e1-7").input == "b"


def test_the_last_outcome_counts_where_an_input_was_tried_again(journal):
    journal.record(outcome("first", "e1"))
    journal.record(outcome("again", "e1"))
    assert journal.outcome_of("e1").input == "again"


def test_an_id_elsewhere_in_an_outcome_is_no_error_of_it(journal):
    journal.record(outcome("e1", "e2"))
    assert journal.outcome_of("e1") is None


def test_changes_of_state_between_two_times(journal, clock):
    began = clock.now()
    for number in range(5):
        journal.record(Transition(policy=f"hub{number % 2}", before="closed", after="open"))
        clock.advance(10)
    between = (began + 10, began + 30)
    assert [each.time - began for each in journal.transitions(between=between)] == [30, 20, 10]
    assert [each.time - began for each in journal.transitions("hub0", between=between)] == [20]
