"""A tier that is withdrawn is tried beside the work, and comes back when it lives."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenuto.batch.executors import Answer, Death, Halt, Task
from tenuto.batch.judging.probation import Probation
from tenuto.batch.plan import Item
from tenuto.journal import Outcome, OutcomeStatus
from tenuto.machines import Trust

GOOD = Item("/in/good.wav", "/out/good.wav")


@pytest.fixture
def trust():
    trust = Trust()
    trust.withdraw("high", 0.0)
    return trust


@pytest.fixture
def probation(trust):
    return Probation(trust, ("high", "low"), Path("/out"))


def ended(task, status=OutcomeStatus.ENHANCED):
    return Answer(task, Outcome(input=task.item.input, output=None, status=status, tier="high"))


def test_after_a_minute_it_is_tried_with_one_that_went_well_and_comes_back(probation, trust):
    assert probation.trial(GOOD, 59.0) is None
    assert probation.trial(None, 60.0) is None
    trial = probation.trial(GOOD, 60.0)
    assert (trial.item.input, trial.trial, trial.setbacks.without) == (GOOD.input, True, ("low",))
    assert trial.item.output != GOOD.output
    assert probation.trial(GOOD, 99.0) is None  # one at a time
    assert probation.takes(ended(trial), 99.0)
    assert trust.withdrawn == ()


def test_one_that_lives_to_be_rejected_by_the_gate_is_in_order(probation, trust):
    trial = probation.trial(GOOD, 60.0)
    probation.takes(ended(trial, OutcomeStatus.DEGRADED), 60.0)
    assert trust.withdrawn == ()


@pytest.mark.parametrize(
    "end",
    [
        lambda trial: Death(trial, 0.0, 9, "hung, and was ended"),
        lambda trial: ended(trial, OutcomeStatus.QUARANTINED),
        lambda trial: Answer(trial, Halt("install it")),
    ],
)
def test_one_that_fails_again_waits_twice_as_long(probation, trust, end):
    assert probation.takes(end(probation.trial(GOOD, 60.0)), 70.0)
    assert trust.withdrawn == ("high",)
    assert probation.trial(GOOD, 189.0) is None
    assert probation.trial(GOOD, 190.0) is not None


def test_other_trials_are_not_its_business(probation):
    other = Task(Item("/in/a.wav", "/out/trial"), trial=True)
    assert not probation.takes(ended(other), 0.0)
    probation.trial(GOOD, 60.0)
    assert not probation.takes(ended(other), 0.0)


def test_a_trial_of_one_that_has_proved_itself_meanwhile_says_nothing(probation, trust):
    trial = probation.trial(GOOD, 60.0)
    trust.worked("high")
    assert probation.takes(Death(trial, 0.0, 9, "hung, and was ended"), 70.0)
    assert trust.withdrawn == ()
