"""What is put into a journal is found in it."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import pytest

from tenuto.errors import FaultClass
from tenuto.journal import (
    Attempt,
    AttemptEnd,
    Journal,
    Outcome,
    OutcomeStatus,
    Transition,
    open_journal,
)
from tenuto.journal.location import journal_folder


def outcome(**changes):
    fields = {"input": "a.wav", "output": "out/a.wav", "status": OutcomeStatus.ENHANCED}
    return Outcome(**{**fields, **changes})


def test_an_event_is_found_by_its_id_and_in_its_group(journal, event):
    told = event("decode", audio_id="a17")
    journal.append(told)
    assert journal.event(told.id) == told
    assert journal.events() == [told]
    [group] = journal.groups()
    assert (group.type, group.message, group.count) == ("ValueError", "decode failed", 1)
    assert group.fault_class is FaultClass.DATA
    assert group.where == told.where
    assert group.first == group.last == told.time
    assert group.latest == told.id


def test_an_empty_journal_answers_all_questions(journal):
    assert journal.groups() == []
    assert journal.events() == []
    assert journal.event("nothing") is None
    assert journal.outcomes() == []
    assert journal.attempts() == []
    assert journal.transitions() == []
    assert journal.drops() == {}
    assert journal.losses == {}


def test_opening_a_journal_writes_nothing_for_those_who_only_pass_by(private_journal):
    Journal(private_journal)
    assert not private_journal.exists()


def test_the_most_frequent_group_comes_first_and_events_newest_first(journal, event, clock):
    told = []
    for kind in ("decode", "engine", "engine"):
        clock.advance(1)
        told.append(event(kind))
        journal.append(told[-1])
    groups = journal.groups()
    assert [(group.message, group.count) for group in groups] == [
        ("engine failed", 2),
        ("decode failed", 1),
    ]
    assert journal.events() == told[::-1]
    assert journal.events(limit=1) == [told[2]]
    assert journal.events(groups[0].fingerprint) == [told[2], told[1]]
    assert journal.events("v1:unknown") == []


def test_an_event_that_is_moved_twice_counts_once(journal, event):
    told = event()
    journal.append(told)
    journal.append(told)
    assert journal.groups()[0].count == 1


def test_later_layers_add_to_an_event(journal, event):
    told = event(stage="decode")
    journal.annotate(told.id, {"early": True})  # may reach the archive first
    journal.append(told)
    journal.annotate(told.id, {"stage": "retry"})
    journal.annotate(told.id, {"recovery": "cached"})
    found = journal.event(told.id)
    assert found.context == {"number": 0, "stage": "retry", "early": True, "recovery": "cached"}


def test_a_repeat_which_is_only_a_number_takes_no_annotation(journal, event):
    told = event()
    journal.append(told)
    journal.annotate(f"{told.id}-7", {"x": 1})
    assert journal.event(f"{told.id}-7") == told


def test_outcomes_are_kept_in_order(journal, clock):
    written = [outcome(input=f"{n}.wav", errors=("e1", "e2"), quality_after=2.5) for n in range(3)]
    for each in written:
        journal.record(each)
    found = journal.outcomes()
    assert [each.input for each in found] == ["0.wav", "1.wav", "2.wav"]
    assert found[0].errors == ("e1", "e2")
    assert found[0].time == clock.now()
    assert [each.input for each in journal.outcomes(limit=2)] == ["1.wav", "2.wav"]


def test_an_outcome_comes_back_as_it_was_written(journal):
    odd = outcome(input="caf\udce9\n.wav", status=OutcomeStatus.QUARANTINED, time=5.0, reason="x")
    journal.record(odd)
    assert journal.outcomes() == [odd]


def test_an_outcome_is_a_line_of_outcomes_jsonl():
    assert list(outcome().to_dict()) == [
        *("input", "output", "status", "tier", "quality_before", "quality_after", "seconds"),
        *("audio_seconds", "errors", "reason", "engine", "attempts", "fault_class", "group"),
        *("content", "size", "modified_ns", "parameters"),
    ]
    assert json.loads(json.dumps(outcome().to_dict()))["status"] == "enhanced"


def test_numbers_of_numpy_are_numbers(journal):
    journal.record(outcome(quality_before=np.float32(1.5)))
    assert journal.outcomes()[0].quality_before == 1.5


def test_a_value_that_no_encoder_takes_is_described(journal):
    loop = []
    loop.append(loop)
    journal.record(Transition(policy="p", before="a", after="b", reason=loop))
    assert journal.transitions()[0].policy == "p"


def test_an_attempt_is_open_until_it_is_closed(journal, clock):
    first = journal.open_attempt(Attempt(work="a.wav", step="decode"))
    second = journal.open_attempt(Attempt(work="b\udce9.wav", step="high", number=2, id="mine"))
    assert second == "mine"
    assert [each.id for each in journal.open_attempts()] == [first, "mine"]
    assert journal.open_attempts()[0].started == clock.now()
    assert [each.id for each in journal.open_attempts("b\udce9.wav")] == ["mine"]
    journal.close_attempt(
        first,
        AttemptEnd.FAILED,
        error_id="e1",
        fault_class=FaultClass.DATA,
        wait=0.5,
        duration=2.0,
    )
    journal.close_attempt("mine", "succeeded")
    assert journal.open_attempts() == []
    failed, done = journal.attempts()
    assert failed == Attempt(
        work="a.wav",
        step="decode",
        id=first,
        started=clock.now(),
        ended=AttemptEnd.FAILED,
        fault_class=FaultClass.DATA,
        wait=0.5,
        duration=2.0,
        error_id="e1",
    )
    assert (done.ended, done.work, done.number) == (AttemptEnd.SUCCEEDED, "b\udce9.wav", 2)


def test_an_attempt_may_be_closed_by_another_process_before_its_opening_is_moved(
    private_journal, clock
):
    with Journal(private_journal, clock=clock) as closer:
        closer.close_attempt("x", AttemptEnd.FAILED)
        assert closer.attempts() == []  # it is not known yet what was attempted
        with Journal(private_journal, clock=clock) as opener:
            opener.open_attempt(Attempt(work="a.wav", step="decode", id="x"))
        assert [each.ended for each in closer.attempts()] == [AttemptEnd.FAILED]


def test_changes_of_state_are_kept(journal):
    journal.record(
        Transition(policy="api", before="closed", after="open", reason="5 failures", time=6.0)
    )
    journal.record(Transition(policy="db", before="open", after="closed", time=7.0))
    assert [each.policy for each in journal.transitions()] == ["db", "api"]
    assert journal.transitions("db")[0].time == 7.0
    assert journal.transitions("api", limit=1)[0].reason == "5 failures"


def test_a_journal_can_be_used_after_it_was_closed(private_journal, event):
    journal = open_journal(private_journal)
    journal.append(event())
    journal.close()
    journal.append(event())
    assert journal.groups()[0].count == 2
    journal.close()
    assert not list((private_journal / "spools").glob("*.damaged*"))


def test_what_a_closed_journal_left_is_taken_in_by_the_next(private_journal, event):
    with Journal(private_journal) as journal:
        journal.append(event())
    assert list((private_journal / "spools").glob("*.db"))
    with open_journal(private_journal) as journal:
        assert not list((private_journal / "spools").iterdir())
        assert journal.groups()[0].count == 1
    db = sqlite3.connect(private_journal / "journal.db")
    assert db.execute("SELECT count(*) FROM cursors").fetchone() == (0,)
    db.close()


def test_a_long_spool_gives_way_to_a_new_one(private_journal, event, monkeypatch, clock):
    monkeypatch.setattr("tenuto.journal.writer._ROTATE_IN_PEACE", 10_000)
    with Journal(private_journal, clock=clock) as journal:
        for number in range(20):
            journal.append(event(number=number))
            if number % 5 == 4:
                journal.flush()
        assert len(list((private_journal / "spools").glob("*.db"))) >= 3
        assert [each.context["number"] for each in journal.events()] == list(range(19, -1, -1))
        assert len(list((private_journal / "spools").glob("*.db"))) <= 1


def test_a_spool_that_nobody_flushes_is_bounded_too(private_journal, event, monkeypatch):
    monkeypatch.setattr("tenuto.journal.writer._ROTATE_NOW", 10_000)
    with Journal(private_journal) as journal:
        for number in range(20):
            journal.append(event(number=number))
        assert len(list((private_journal / "spools").glob("*.db"))) >= 3
        assert journal.groups()[0].count == 20


def test_many_rows_are_moved_in_many_steps(private_journal, monkeypatch):
    monkeypatch.setattr("tenuto.journal.mover._BATCH", 3)
    with Journal(private_journal) as journal:
        for number in range(9):
            journal.record(outcome(input=str(number)))
        assert [each.input for each in journal.outcomes()] == list("012345678")


def test_text_that_utf8_cannot_hold_is_kept_with_backslashes(journal, event):
    from dataclasses import replace

    journal.append(replace(event(), type="Od\udc80d"))
    assert journal.groups()[0].type == "Od\\udc80d"


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"TENUTO_JOURNAL": "/x/j"}, "/x/j"),
        ({"XDG_STATE_HOME": "/s"}, "/s/tenuto"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/tenuto"),
        ({"HOME": "/h"}, "/h/.local/state/tenuto"),
    ],
)
def test_where_a_journal_is_if_nobody_says(environment, folder, monkeypatch):
    for name in ("TENUTO_JOURNAL", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert str(journal_folder(None)) == folder
    assert str(journal_folder("/given")) == "/given"
