"""One error over many inputs is what they depend on; over some of them, it is they."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tenuto.audio.setbacks import Setbacks
from tenuto.batch.executors import Answer, Death, Halt, Task, Trouble
from tenuto.batch.judging.outbreak import ALIKE, PATIENCE, Outbreak
from tenuto.batch.plan import Item
from tenuto.errors import FaultClass
from tenuto.journal import Outcome, OutcomeStatus
from tests.thoroughness import examples

LADDER = ("high", "low")
GONE = Trouble("decode", "f1 does not exist", FaultClass.DATA)
TEXT = Trouble("decode", "f1 is text", FaultClass.DATA)
IO_ERROR = Trouble("decode", "f2 input/output error", FaultClass.INFRASTRUCTURE)
NO_MEMORY = Trouble("decode", "f3 MemoryError", FaultClass.RESOURCE)
BROKEN = Trouble("high", "f4 the model is broken", FaultClass.INFRASTRUCTURE)


def outcome(name, status=OutcomeStatus.QUARANTINED, tier=None, reason="a reason"):
    return Outcome(input=name, output=None, status=status, tier=tier, reason=reason)


class Scene:
    """An outbreak, and what has become of everybody so far."""

    def __init__(self, folder, alike=ALIKE):
        self.outbreak = Outbreak(LADDER, folder, alike)
        self.now = 0.0
        self.settled = {}
        self.again = []
        self.news = []
        self.count = 0

    def collect(self):
        for task, each in self.outbreak.settled():
            assert task.item.input == each.input
            assert each.input not in self.settled
            self.settled[each.input] = each
        self.again += self.outbreak.again()
        self.news += self.outbreak.news()

    def end(self, task, result, *troubles, content=""):
        self.outbreak.take(task, result, troubles, content, self.now)
        self.collect()

    def well(self, tier="high"):
        task = self.task()
        self.end(task, outcome(task.item.input, OutcomeStatus.ENHANCED, tier), content="good")
        return task

    def ill(self, trouble, *, content=None, task=None):
        task = task or self.task()
        known = f"bytes of {task.item.input}" if content is None else content
        self.end(task, outcome(task.item.input), trouble, content=known)
        return task

    def row_of(self, trouble, number=ALIKE, **more):
        return [self.ill(trouble, **more) for _ in range(number)]

    def task(self):
        self.count += 1
        return Task(Item(f"{self.count}", f"out/{self.count}"))

    def try_out(self, result=None):
        """Make the trial that is due; ``result`` is how it ends, by default well."""
        trial = self.outbreak.trial(self.now)
        assert trial is not None
        assert trial.trial
        good = outcome(trial.item.input, OutcomeStatus.ENHANCED, "high")
        self.outbreak.tried(Answer(trial, result or good), self.now)
        self.collect()
        return trial

    def finish(self):
        self.outbreak.finish()
        self.collect()


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


def names(tasks):
    return [task.item.input for task in tasks]


def test_what_goes_well_is_final_at_once(scene):
    task = scene.well()
    assert list(scene.settled) == names([task])


def test_a_failure_is_final_when_the_next_goes_well_or_fails_otherwise(scene):
    first, second = scene.ill(TEXT), scene.ill(TEXT)
    assert not scene.settled
    scene.well()
    third = scene.ill(GONE)
    fourth = scene.ill(TEXT)
    assert set(names([first, second, third])) <= set(scene.settled)
    assert fourth.item.input not in scene.settled
    scene.finish()
    assert fourth.item.input in scene.settled
    assert not scene.again


def test_many_bad_recordings_in_a_row_keep_their_outcomes(scene):
    good = scene.well()
    row = scene.row_of(TEXT)
    assert scene.outbreak.suspended
    assert set(scene.settled) == {good.item.input}
    trial = scene.try_out()
    assert trial.item.input == good.item.input
    assert trial.setbacks.without == LADDER
    assert not scene.outbreak.suspended
    assert set(names(row)) <= set(scene.settled)
    more = scene.ill(TEXT)
    assert more.item.input in scene.settled
    assert not scene.again
    assert len(scene.news) == 2


def test_what_all_depend_on_is_waited_for_and_then_they_are_done_again(scene):
    good = scene.well()
    row = scene.row_of(GONE, content="")
    fails = outcome(good.item.input)
    scene.try_out(fails)
    assert scene.outbreak.suspended
    assert scene.outbreak.trial(scene.now) is None
    pauses = []
    for _ in range(8):
        begun = scene.now
        while scene.outbreak.trial(scene.now) is None:
            scene.now += 0.5
        scene.outbreak.tried(Answer(task_at(scene), fails), scene.now)
        pauses.append(scene.now - begun)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    scene.now += 60
    scene.try_out()
    assert not scene.outbreak.suspended
    assert names(scene.again) == names(row)
    assert set(scene.settled) == {good.item.input}
    assert scene.outbreak.stopped is None


def task_at(scene):
    return Task(Item("any", "any"), trial=True)


def test_what_does_not_come_back_stops_the_run_and_leaves_them_for_the_next(scene):
    good = scene.well()
    scene.row_of(GONE, content="")
    while scene.outbreak.stopped is None:
        assert scene.now <= PATIENCE + 60
        if scene.outbreak.trial(scene.now):
            died = Death(task_at(scene), 0.0, 1, "killed by SIGBUS")
            scene.outbreak.tried(died, scene.now)
        scene.now += 1
    assert "a reason" in scene.outbreak.stopped
    scene.finish()
    assert set(scene.settled) == {good.item.input}
    assert not scene.again


def test_a_trial_that_says_what_is_wrong_with_the_set_up_stops_the_run(scene):
    scene.well()
    scene.row_of(TEXT)
    scene.try_out(Halt("make it writable"))
    assert scene.outbreak.stopped.endswith("make it writable")


def test_copies_of_one_bad_recording_are_one(scene):
    scene.well()
    scene.row_of(TEXT, 3 * ALIKE, content="the same")
    assert not scene.outbreak.suspended
    scene.finish()
    assert len(scene.settled) == 3 * ALIKE + 1


def test_where_nothing_has_gone_well_yet_a_recording_of_our_own_is_tried(scene, tmp_path):
    row = scene.row_of(TEXT)
    made_up = scene.outbreak.trial(scene.now).item.input
    samples, rate = soundfile.read(made_up)
    assert rate == 16_000
    assert 0.29 < abs(samples).max() < 0.31
    good = outcome(made_up, OutcomeStatus.ENHANCED, "high")
    scene.outbreak.tried(Answer(task_at(scene), good), scene.now)
    scene.finish()
    assert set(scene.settled) == set(names(row))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", None])
def test_where_nothing_can_be_compared_with_they_are_tried_again_themselves(tmp_path, content):
    scene = Scene(tmp_path / "a folder that is gone")
    row = scene.row_of(GONE, content=content)
    assert scene.outbreak.trial(scene.now).item.input == row[-1].item.input
    good = outcome(row[-1].item.input, OutcomeStatus.ENHANCED, "high")
    scene.outbreak.tried(Answer(task_at(scene), good), scene.now)
    scene.collect()
    assert names(scene.again) == names(row)


def test_one_that_goes_well_meanwhile_ends_the_alarm(scene):
    scene.well()
    row = scene.row_of(TEXT)
    late = scene.well()
    assert not scene.outbreak.suspended
    assert {*names(row), late.item.input} <= set(scene.settled)
    scene.outbreak.tried(Answer(task_at(scene), outcome("1")), scene.now)
    assert not scene.outbreak.suspended


def test_one_that_goes_well_after_a_trial_has_failed_has_all_done_again(scene):
    scene.well()
    row = scene.row_of(GONE, content="")
    scene.try_out(outcome("1"))
    scene.well()
    assert names(scene.again) == names(row)


def test_a_fault_that_may_pass_is_given_time_once(scene):
    scene.well()
    first = scene.ill(IO_ERROR)
    scene.well()
    (again,) = scene.again
    assert (again.item, again.retried, again.shares) == (first.item, True, 1)
    scene.again.clear()
    scene.ill(IO_ERROR, task=again)
    scene.well()
    assert first.item.input in scene.settled
    assert not scene.again


def test_a_ladder_that_fails_everybody_is_not_the_recordings_fault(scene):
    good = scene.well("low")
    row = []
    for _ in range(ALIKE):
        row.append(scene.task())
        original = outcome(row[-1].item.input, OutcomeStatus.DEGRADED, "original")
        scene.end(row[-1], original, BROKEN, content=row[-1].item.input)
    assert set(scene.settled) == {good.item.input}
    assert scene.outbreak.trial(0.0).setbacks.without == ()
    scene.outbreak.tried(Answer(task_at(scene), original), 0.0)
    assert scene.outbreak.suspended
    scene.now = 1.0
    scene.try_out()
    assert names(scene.again) == names(row)


def test_so_is_one_of_which_all_tiers_are_withdrawn(scene):
    scene.well()
    for _ in range(ALIKE):
        task = Task(scene.task().item, Setbacks(LADDER))
        original = outcome(task.item.input, OutcomeStatus.DEGRADED, "original")
        scene.end(task, original, content=task.item.input)
    assert scene.outbreak.suspended


def test_recordings_that_no_engine_can_make_better_are_final(scene):
    for _ in range(2 * ALIKE):
        task = scene.task()
        silent = outcome(task.item.input, OutcomeStatus.DEGRADED, "original", "it is silent")
        scene.end(task, silent, content=task.item.input)
    assert len(scene.settled) == 2 * ALIKE


def test_many_whose_decoding_kills_are_looked_into_like_any_others(scene):
    scene.well()
    row = [scene.task() for _ in range(ALIKE)]
    for task in row:
        killed = outcome(task.item.input, reason="it kills the worker process: SIGSEGV")
        scene.end(task, killed, content=task.item.input)
    assert scene.outbreak.suspended
    scene.try_out()
    assert set(names(row)) <= set(scene.settled)


@settings(max_examples=examples(60), deadline=None)
@given(
    seed=st.integers(0, 2**32),
    share=st.sampled_from([0.0, 0.02, 0.5, 0.9, 1.0]),
    outages=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 90)), max_size=3),
    alike=st.sampled_from([3, 20]),
)
def test_in_any_run_every_input_ends_once_and_outages_quarantine_few(
    tmp_path_factory, seed, share, outages, alike
):
    """A run in miniature: some recordings are bad, and now and then the drive is gone."""
    chance = random.Random(seed)
    scene = Scene(tmp_path_factory.mktemp("out"), alike)
    bad = {str(number) for number in range(300) if chance.random() < share}
    waiting = [Task(Item(f"{number}", f"out/{number}")) for number in range(300)]

    def attempt(task):
        name = task.item.input
        if any(begin <= scene.now < begin + 5 * length for begin, length in outages):
            return Answer(task, outcome(name), (GONE,), "")
        if name in bad:
            return Answer(task, outcome(name), (TEXT,), name)
        return Answer(task, outcome(name, OutcomeStatus.ENHANCED, "high"), (), name)

    while waiting or scene.outbreak.suspended:
        scene.now += 1
        assert scene.now < 10 * PATIENCE
        if not scene.outbreak.suspended:
            end = attempt(waiting.pop(0))
            scene.end(end.task, end.result, *end.troubles, content=end.content)
        elif trial := scene.outbreak.trial(scene.now):
            scene.outbreak.tried(attempt(trial), scene.now)
            scene.collect()
        if not waiting and not scene.outbreak.suspended:
            scene.finish()
        waiting += scene.again
        scene.again.clear()
    assert scene.outbreak.stopped is None
    assert len(scene.settled) == 300
    wrongly = [
        name
        for name, ended in scene.settled.items()
        if ended.status is OutcomeStatus.QUARANTINED and name not in bad
    ]
    # Of an outage no more than a row is lost, at either end.
    assert len(wrongly) <= 2 * alike * len(outages)


def test_false_alarms_are_as_rare_as_the_threshold_says():
    """Half of all fail alike by chance: a row of 20 begins once in about two million recordings."""
    assert math.isclose(0.5**ALIKE, 1e-6, rel_tol=0.05)


def test_a_trial_of_an_alarm_that_is_over_decides_no_other(scene):
    scene.well()
    scene.row_of(TEXT)
    old = scene.outbreak.trial(scene.now)
    scene.well()  # the alarm is over, and its trial still out
    row = scene.row_of(GONE)
    assert scene.outbreak.trial(scene.now) is None
    scene.outbreak.tried(
        Answer(old, outcome(old.item.input, OutcomeStatus.ENHANCED, "high")), scene.now
    )
    scene.collect()
    assert not set(names(row)) & set(scene.settled)
    row.append(scene.ill(GONE))
    assert scene.outbreak.suspended
    scene.try_out(outcome("1"))
    scene.finish()
    assert not set(names(row)) & set(scene.settled)


def test_copies_of_one_bad_recording_are_not_held_back_for_ever(scene):
    scene.well()
    for _ in range(1_500):
        scene.ill(TEXT, content="the same error page")
    assert not scene.outbreak.suspended
    assert len(scene.settled) > 1_000


def hang(scene, step, *, content=None, task=None):
    """The next one hangs at ``step``."""
    task = task or scene.task()
    name = task.item.input
    trouble = Trouble(step, "hung, and was ended", FaultClass.INFRASTRUCTURE)
    ended = replace(outcome(name, reason=f"{step}: hung"), errors=(f"error of {name}",))
    known = f"bytes of {name}" if content is None else content
    scene.outbreak.take(task, ended, (trouble,), known, scene.now, hung=True)
    scene.collect()
    return task


def died(scene, trial):
    scene.outbreak.tried(Death(trial, 0.0, 1, "hung, and was ended"), scene.now)
    scene.collect()


def test_one_that_hangs_is_done_again_when_another_goes_well_and_then_it_is_final(scene):
    scene.well()
    first = hang(scene, "encode")
    assert not scene.outbreak.suspended
    scene.well()
    (again,) = scene.again
    assert (again.item, again.retried) == (first.item, True)
    assert again.setbacks.errors == (f"error of {first.item.input}",)
    scene.again.clear()
    hang(scene, "encode", task=again)
    scene.well()
    assert not scene.again
    assert first.item.input in scene.settled


@pytest.mark.parametrize("step", ["decode", "encode"])
def test_two_that_hang_hold_the_run_up_until_another_goes_well(scene, step):
    good = scene.well()
    row = [hang(scene, step) for _ in range(2)]
    assert scene.outbreak.suspended
    assert scene.try_out().item.input == good.item.input
    assert not scene.outbreak.suspended
    assert names(scene.again) == names(row)
    assert all(task.retried for task in scene.again)
    assert set(scene.settled) == {good.item.input}


def test_copies_of_one_that_hangs_are_one(scene):
    scene.well()
    for _ in range(3):
        hang(scene, "decode", content="the same")
    assert not scene.outbreak.suspended


def test_where_reading_hangs_one_of_those_is_tried_and_then_another_by_turns(scene):
    """What was read before may still be in memory; but one may have a fault of its own."""
    good = scene.well()
    row = [hang(scene, "read", content="") for _ in range(2)]
    tried = []
    for _ in range(4):
        trial = scene.outbreak.trial(scene.now)
        tried.append(trial.item.input)
        died(scene, trial)
        scene.now += 60
    held, other = row[-1].item.input, good.item.input
    assert tried == [held, other, held, other]
    scene.try_out()
    assert names(scene.again) == names(row)


def test_a_tier_in_which_two_hang_is_tried_by_itself(scene):
    scene.well("low")
    good = scene.well("high")
    scene.well("low")
    row = [hang(scene, "low") for _ in range(2)]
    assert scene.outbreak.trial(scene.now).setbacks.without == ("high",)
    done = outcome(good.item.input, OutcomeStatus.ENHANCED, "low")
    scene.outbreak.tried(Answer(task_at(scene), done), scene.now)
    scene.collect()
    assert names(scene.again) == names(row)
    assert scene.outbreak._trust.withdrawn == ()


def test_a_tier_that_hangs_with_the_control_too_where_all_else_goes_well_is_withdrawn(scene):
    scene.well()
    row = [hang(scene, "high") for _ in range(2)]
    try_without_tiers(scene)
    assert scene.outbreak.suspended
    trial = scene.outbreak.trial(scene.now)
    assert trial.setbacks.without == ("low",)
    died(scene, trial)
    assert not scene.outbreak.suspended
    assert scene.outbreak._trust.withdrawn == ("high",)
    assert names(scene.again) == names(row)
    for task in scene.again:
        assert task.setbacks.without == ("high",)
        assert task.setbacks.reasons == ("high: hung",)
        assert len(task.setbacks.errors) == 1


def try_without_tiers(scene):
    """Make the trial of the tier, which fails, and then the one without tiers."""
    died(scene, scene.outbreak.trial(scene.now))
    trial = scene.outbreak.trial(scene.now)
    assert trial.setbacks.without == LADDER
    kept = outcome(trial.item.input, OutcomeStatus.DEGRADED, "original")
    scene.outbreak.tried(Answer(trial, kept), scene.now)
    scene.collect()


def test_a_stall_that_ends_just_between_two_trials_is_not_blamed_on_the_tier(scene):
    scene.well()
    row = [hang(scene, "high") for _ in range(2)]
    try_without_tiers(scene)
    scene.try_out()
    assert scene.outbreak._trust.withdrawn == ()
    assert names(scene.again) == names(row)


def test_where_nothing_goes_well_it_is_not_the_tier_and_the_run_waits(scene):
    scene.well()
    row = [hang(scene, "high") for _ in range(2)]
    for _ in range(2):
        died(scene, scene.outbreak.trial(scene.now))
    assert scene.outbreak.trial(scene.now) is None
    assert scene.outbreak.waiting == "high: hung"
    scene.now += 1
    assert scene.outbreak.trial(scene.now).setbacks.without == ("low",)
    done = outcome("1", OutcomeStatus.ENHANCED, "high")
    scene.outbreak.tried(Answer(task_at(scene), done), scene.now)
    scene.collect()
    assert names(scene.again) == names(row)


def test_a_lower_tier_that_goes_well_says_nothing_of_the_one_that_hangs(scene):
    scene.well()
    first = hang(scene, "high")
    scene.end(*lowered(scene))
    assert not scene.again
    scene.well("low")  # which the higher one came before
    assert names(scene.again) == names([first])


def lowered(scene):
    task = replace(scene.task(), setbacks=Setbacks(("high",)))
    return task, outcome(task.item.input, OutcomeStatus.ENHANCED, "low")


def test_a_ladder_that_kills_its_trial_is_tried_from_ever_further_down(scene):
    scene.well()
    for tier in LADDER:
        scene.outbreak._trust.withdraw(tier, 0.0)
    for _ in range(ALIKE):
        task = Task(scene.task().item, Setbacks(LADDER))
        kept = outcome(task.item.input, OutcomeStatus.DEGRADED, "original")
        scene.end(task, kept, content=task.item.input)
    without = []
    for _ in range(3):
        trial = scene.outbreak.trial(scene.now)
        without.append(trial.setbacks.without)
        died(scene, trial)
        scene.now += 60
    assert without == [(), ("high",), ()]
    trial = scene.outbreak.trial(scene.now)
    done = outcome(trial.item.input, OutcomeStatus.ENHANCED, "low")
    scene.outbreak.tried(Answer(trial, done), scene.now)
    scene.collect()
    assert scene.outbreak._trust.withdrawn == ("high",)
    assert [task.setbacks.without for task in scene.again] == [()] * ALIKE


def test_nothing_is_put_back_for_ever(scene):
    scene.well()
    row = [replace(scene.task(), begun=12) for _ in range(2)]
    for task in row:
        hang(scene, "encode", task=task)
    scene.try_out()
    assert not scene.again
    assert set(names(row)) <= set(scene.settled)


def test_at_the_end_one_that_waited_for_a_file_is_not_given_up_without_a_look(scene):
    scene.well()
    first = hang(scene, "read", content="")
    scene.outbreak.conclude(scene.now)
    assert scene.outbreak.suspended
    scene.try_out()
    assert names(scene.again) == names([first])
    hang(scene, "read", content="", task=scene.again.pop())
    scene.outbreak.conclude(scene.now)
    assert not scene.outbreak.suspended  # it had its second try


def test_at_the_end_what_failed_otherwise_is_not_looked_into(scene):
    scene.well()
    scene.ill(TEXT)
    scene.ill(IO_ERROR)
    hang(scene, "high")
    scene.outbreak.conclude(scene.now)
    assert not scene.outbreak.suspended
