"""How a run follows from what its workers tell: who goes on, who waits, who gets more."""

from __future__ import annotations

import functools
import random
import signal
from collections import Counter, deque
from dataclasses import replace
from pathlib import Path

import pytest

from tenuto.audio.names import path_text
from tenuto.batch import Batch
from tenuto.batch.content import content_of
from tenuto.batch.executors import Answer, Death, Manner, Recognised, Short, Trouble
from tenuto.batch.judging.poison import Poison
from tenuto.batch.run import Run
from tenuto.clock import SimulatedClock
from tenuto.errors import FaultClass
from tenuto.journal import Attempt, Outcome, OutcomeStatus, open_journal
from tests.thoroughness import examples

from .runs import Notes

TIERS = ("medium_quality", "basic")
GONE = Trouble("decode", "f1 does not exist", FaultClass.DATA)
TEXT = Trouble("decode", "f1 is text", FaultClass.DATA)
NO_MEMORY = Trouble("decode", "f2 MemoryError", FaultClass.RESOURCE)


class Scripted:
    """Workers that end as ``script(task)`` says, the first begun first, a second each."""

    def __init__(self, script, places, clock):
        self.script = script
        self.places = places
        self.clock = clock
        self.begun = []
        self.at_once = []
        self._in_hand = deque()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, task):
        self._in_hand.append(task)
        self.begun.append(task)
        self.at_once.append([each.shares for each in self._in_hand])
        assert sum(self.at_once[-1]) <= self.places

    def wait(self, timeout):
        self.clock.advance(1.0)
        if not self._in_hand:
            return []
        task = self._in_hand.popleft()
        return [self.script(task)]

    def withdraw(self):
        return []

    def news(self):
        return []

    def kill(self):
        self._in_hand.clear()


def well(task):
    """It is enhanced, and written."""
    output = Path(task.item.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text("whole")
    outcome = Outcome(
        input=task.item.input,
        output=task.item.output,
        status=OutcomeStatus.ENHANCED,
        tier="basic",
    )
    return Answer(task, outcome, content=content_of(task.item.input))


def ill(task, trouble, content=""):
    outcome = Outcome(
        input=task.item.input, output=None, status=OutcomeStatus.QUARANTINED, reason=trouble.how
    )
    return Answer(task, outcome, (trouble,), content)


def short(task):
    return Answer(task, Short(("an error",)), (NO_MEMORY,), "c")


def starved(task):
    return Death(task, 0.0, 99, "out of memory", manner=Manner.STARVED, content="c")


def original(task):
    """No tier did anything for it, and it is kept as it is."""
    answer = well(task)
    kept = replace(answer.result, status=OutcomeStatus.DEGRADED, tier="original")
    return replace(answer, result=kept)


def dead(task, step, manner=Manner.CRASHED, cause="killed by SIGSEGV", stack=()):
    """Its worker died at that step; it had not begun where that is None."""
    if step not in {None, "read"}:
        with open_journal() as journal:
            journal.open_attempt(Attempt(work=path_text(task.item.input), step=step))
    content = "" if step in {None, "read"} else content_of(task.item.input)
    return Death(task, 0.0, 99, cause, stack, manner=manner, content=content)


IN_HASHING = (
    "/lib/tenuto/audio/codec/access.py:99 in read_at",
    "/lib/tenuto/batch/content.py:9 in f",
)


def hung(task, step):
    """Its worker got nowhere at that step, and was ended."""
    stack = IN_HASHING if step == "read" else ("/lib/tenuto/audio/codec/libav.py:9 in decode",)
    return dead(task, step, Manner.HUNG, "hung, and was ended", stack)


@pytest.fixture
def clock():
    return SimulatedClock()


@pytest.fixture
def run(tmp_path, monkeypatch, clock):
    """``run(number, script)`` runs over so many recordings; gives summary, workers and notes."""

    def go(number, script, places=1, on_tick=None, ladder=("basic",)):
        folder = tmp_path / "in"
        folder.mkdir(exist_ok=True)
        for index in range(number):
            if not (path := folder / f"{index:03}.wav").exists():
                path.write_text(f"bytes of {index}")
        workers = Scripted(script, places, clock)
        monkeypatch.setattr("tenuto.batch.enhancing.LocalWorkers", lambda *_: workers)
        monkeypatch.setattr("tenuto.batch.enhancing.Run", functools.partial(Run, clock=clock))
        batch = Batch(ladder=ladder, meter="none", jobs=places)
        notes = Notes()
        notes.on_tick = on_tick or notes.on_tick
        summary = batch.run([folder], tmp_path / "out", notes)
        assert summary.inputs == sum(summary.statuses.values()) + summary.left + (
            summary.finished_earlier + summary.quarantined_earlier
        )
        return summary, workers, notes

    return go


def number_of(task):
    return int(Path(task.item.input).stem)


def test_a_drive_that_is_gone_for_a_while_costs_nobody_anything(run, clock):
    begun = clock.monotonic()

    def script(task):
        gone = 20 <= clock.monotonic() - begun < 200
        return ill(task, GONE) if gone else well(task)

    waits = []
    summary, workers, notes = run(60, script, on_tick=lambda summary: waits.append(summary.waiting))
    assert dict(summary.statuses) == {"enhanced": 60}
    assert any("It is not the recordings" in text for text in notes.texts)
    assert (waits[0], waits[-1]) == (None, None)
    assert set(waits) - {None} == {GONE.how}
    trials = [task for task in workers.begun if task.trial]
    assert 3 <= len(trials) <= 12
    assert len(workers.begun) - len(trials) == 60 + 20


def test_what_waits_for_its_second_chance_has_it_before_there_are_too_many(run, monkeypatch):
    monkeypatch.setattr("tenuto.batch.run._MOST_AGAIN", 5)
    failed = set()

    def every_other_one_fails_once(task):
        number = number_of(task)
        if number % 2 and number not in failed:
            failed.add(number)
            return ill(task, NO_MEMORY)
        return well(task)

    summary, workers, _ = run(60, every_other_one_fails_once)
    assert dict(summary.statuses) == {"enhanced": 60}
    order = [number_of(task) for task in workers.begun]
    most, waiting = 0, set()
    for number in order:
        (waiting.discard if number in waiting else waiting.add)(number)
        most = max(most, sum(each % 2 for each in waiting))
    assert most <= 7  # those, the one in hand, and the one that is held back


def test_a_drive_that_does_not_come_back_stops_the_run_and_loses_nothing(run, clock):
    broken = True

    def script(task):
        return ill(task, GONE) if broken and number_of(task) >= 10 else well(task)

    begun = clock.monotonic()

    def fails(task):
        return ill(task, GONE) if task.trial else script(task)

    summary, _, _ = run(60, fails)
    assert summary.exit_status == 2
    assert "does not exist" in summary.stopped
    assert (summary.statuses["enhanced"], summary.left) == (10, 50)
    assert 3_600 <= clock.monotonic() - begun <= 3_800
    broken = False
    summary, _, _ = run(60, script)
    assert (summary.finished_earlier, summary.statuses["enhanced"]) == (10, 50)


def test_a_folder_of_texts_is_quarantined_and_the_run_goes_on(run):
    def script(task):
        if task.trial or not 10 <= number_of(task) < 50:
            return well(task)
        return ill(task, TEXT, content_of(task.item.input))

    summary, workers, _ = run(60, script)
    assert dict(summary.statuses) == {"enhanced": 20, "quarantined": 40}
    assert [task.item.input for task in workers.begun if task.trial] == [
        workers.begun[9].item.input
    ]


def test_a_recording_that_starved_is_tried_again_alone_with_all_the_memory(run):
    def script(task):
        return starved(task) if number_of(task) == 3 and task.shares < 4 else well(task)

    summary, workers, _ = run(30, script, places=4)
    assert dict(summary.statuses) == {"enhanced": 30}
    again = [task for task in workers.begun if number_of(task) == 3]
    assert [task.shares for task in again] == [1, 4]
    assert [4] in workers.at_once


def test_while_memory_is_short_fewer_are_at_work_and_then_more_again(run):
    def script(task):
        return starved(task) if number_of(task) in {0, 10} and not task.starved else well(task)

    summary, workers, _ = run(200, script, places=8)
    assert dict(summary.statuses) == {"enhanced": 200}
    sizes = [len(each) for each in workers.at_once]
    assert max(sizes[8:19]) <= 4  # after the first, and before the second
    assert min(sizes[20:60]) < 8
    assert set(sizes[-60:-8]) == {8}


def test_one_that_lived_to_tell_that_memory_was_too_little_gets_more_too(run):
    def script(task):
        if number_of(task) == 3 and not task.make_do:
            return short(task)
        return well(task)

    summary, workers, _ = run(9, script, places=4)
    assert dict(summary.statuses) == {"enhanced": 9}
    first, second = (task for task in workers.begun if number_of(task) == 3)
    assert (first.shares, second.shares) == (1, 4)
    assert second.setbacks.errors == ("an error",)


def test_where_there_is_no_more_memory_to_be_had_it_is_not_asked_for(run):
    _, workers, _ = run(3, well, places=1)
    assert [task.make_do for task in workers.begun] == [True] * 3


def test_bytes_that_killed_are_not_touched_again_under_another_name(run):
    def script(task):
        if number_of(task) not in {2, 5, 7}:
            return well(task)
        if "poison" in task.deadly:
            return Answer(task, Recognised(), content="poison")
        with open_journal() as journal:
            journal.open_attempt(Attempt(work=path_text(task.item.input), step="decode"))
        return Death(task, 0.0, 99, "killed by SIGSEGV", content="poison")

    summary, workers, _ = run(9, script)
    assert dict(summary.statuses) == {"enhanced": 6, "quarantined": 3}
    assert Counter(map(number_of, workers.begun)) == {**dict.fromkeys(range(9), 1), 2: 2}
    summary, workers, _ = run(9, script)
    assert (summary.quarantined_earlier, summary.left) == (3, 0)


def test_a_run_that_is_left_during_an_alarm_is_gone_on_with_by_the_same_command(run, clock):
    """What was written and has no outcome yet is the run's own."""

    def degraded(task):
        output = Path(task.item.output)
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text("the original")
        outcome = Outcome(
            input=task.item.input,
            output=task.item.output,
            status=OutcomeStatus.DEGRADED,
            tier="original",
            reason="no tier works",
        )
        trouble = Trouble("basic", "f3 the model is broken", FaultClass.INFRASTRUCTURE)
        return Answer(task, outcome, (trouble,), content_of(task.item.input))

    def script(task):
        if task.trial:
            signal.raise_signal(signal.SIGINT)
            return ill(task, GONE)
        return degraded(task)

    summary, _, _ = run(30, script)
    assert summary.exit_status == 130
    assert summary.left > 0
    summary, _, _ = run(30, well)
    assert (summary.left, summary.exit_status) == (0, 0)


def test_while_a_step_is_in_doubt_what_fails_there_otherwise_settles_nothing(run, clock):
    """The drive is gone, and among what is in hand is one truly bad recording."""
    trials = []

    def script(task):
        if task.trial:
            trials.append(task)
            return well(task) if len(trials) > 2 else ill(task, GONE)
        if number_of(task) == 31:
            return ill(task, TEXT, content_of(task.item.input))
        gone = len(trials) <= 2 and number_of(task) >= 10
        return ill(task, GONE) if gone else well(task)

    summary, _, _ = run(60, script, places=4)
    assert dict(summary.statuses) == {"enhanced": 59, "quarantined": 1}


def test_a_worker_that_cannot_be_started_stops_the_run_in_order(run, monkeypatch):
    submit, begun = Scripted.submit, []

    def full(self, task):
        begun.append(task)
        if len(begun) > 3:
            raise OSError(24, "Too many open files")
        submit(self, task)

    monkeypatch.setattr(Scripted, "submit", full)
    summary, _, _ = run(10, well, places=8)
    assert summary.exit_status == 2
    assert summary.stopped == "no worker process can be started: Too many open files"
    assert (summary.statuses["enhanced"], summary.left) == (3, 7)


def test_a_tier_that_failed_by_accident_at_first_is_used_again(run):
    """The only one there is: without it every recording would be left as it is."""

    def script(task):
        begun.append(task)
        assert len(begun) < 200, "they are done again and again"
        if "basic" in task.setbacks.without:
            return original(task)
        crashes = number_of(task) < 3 and task.begun == 1 and not task.trial
        return dead(task, "basic") if crashes else well(task)

    begun = []
    summary, _, notes = run(60, script)
    assert dict(summary.statuses) == {"enhanced": 60}
    assert len(begun) < 100
    assert any("basic works again" in text for text in notes.texts)


def test_in_a_short_run_too_a_tier_has_a_second_chance(run):
    def script(task):
        if "basic" in task.setbacks.without:
            return original(task)
        crashes = number_of(task) < 3 and task.begun == 1 and not task.trial
        return dead(task, "basic") if crashes else well(task)

    summary, _, _ = run(9, script)
    assert summary.exit_status == 0
    assert dict(summary.statuses) == {"enhanced": 9}


def test_a_tier_that_works_for_nobody_is_given_up_in_a_short_run_without_waiting(run, clock):
    def script(task):
        return original(task) if "basic" in task.setbacks.without else dead(task, "basic")

    begun = clock.monotonic()
    summary, _, _ = run(9, script)
    assert (summary.stopped, dict(summary.statuses)) == (None, {"degraded": 9})
    assert clock.monotonic() - begun < 60


def test_a_tier_that_works_with_the_control_alone_is_not_tried_for_ever(run):
    def script(task):
        if task.trial or number_of(task) == 0:
            return well(task)
        return original(task) if "basic" in task.setbacks.without else dead(task, "basic")

    summary, workers, notes = run(60, script)
    assert (summary.stopped, summary.left) == (None, 0)
    assert dict(summary.statuses) == {"enhanced": 1, "degraded": 59}
    assert len(workers.begun) < 60 * 4
    assert any("It is they" in text for text in notes.texts)


def during(clock, begin, end):
    """Whether it is between the two times, in seconds from now."""
    begun = clock.monotonic()
    return lambda: begin <= clock.monotonic() - begun < end


@pytest.mark.parametrize("places", [1, 4])
@pytest.mark.parametrize("step", ["read", "encode"])
def test_a_stall_of_the_storage_costs_nobody_anything(run, clock, step, places):
    """A hard NFS mount whose server is gone for ten minutes: reads, or writes, just wait."""
    stalled = during(clock, 20, 600)

    def script(task):
        return hung(task, step) if stalled() else well(task)

    waits = []
    summary, workers, notes = run(
        60, script, places, on_tick=lambda summary: waits.append(summary.waiting)
    )
    assert (summary.stopped, dict(summary.statuses)) == (None, {"enhanced": 60})
    assert len(workers.begun) < 90
    assert f"{step}: hung, and was ended" in waits
    assert waits[-1] is None
    assert any("hang" in text for text in notes.texts)
    with open_journal() as journal:
        assert not Poison(journal).deadly


def test_a_moment_s_stall_while_two_are_written_makes_no_poison_of_them(run, clock):
    stalled = during(clock, 20, 28)

    def script(task):
        return hung(task, "encode") if stalled() else well(task)

    for _ in range(2):
        summary, _, _ = run(30, script, 4)
    assert (summary.finished_earlier, summary.quarantined_earlier) == (30, 0)


def test_a_storage_that_stays_away_stops_the_run_and_blames_no_recording(run, clock):
    stalled = during(clock, 20, 9_999)
    summary, _, _ = run(60, lambda task: hung(task, "read") if stalled() else well(task), 4)
    assert "read: hung" in summary.stopped
    assert not summary.statuses["quarantined"]
    assert 3_600 <= clock.monotonic() - 20 < 5_000


def test_a_stall_at_the_very_end_is_waited_for_as_well(run, clock):
    stalled = during(clock, 2, 500)
    summary, _, _ = run(4, lambda task: hung(task, "read") if stalled() else well(task), 1)
    assert (summary.stopped, dict(summary.statuses)) == (None, {"enhanced": 4})


def test_a_drive_that_is_slow_now_and_then_makes_nobody_wait(run):
    def script(task):
        return hung(task, "read") if number_of(task) % 5 == 3 and not task.retried else well(task)

    summary, workers, notes = run(60, script, 2)
    assert dict(summary.statuses) == {"enhanced": 60}
    assert (len(workers.begun), notes.texts) == (72, [])


def test_one_that_cannot_be_read_to_its_end_ends_itself(run):
    """A bad spot of the disk: the others go well."""

    def script(task):
        return hung(task, "read") if number_of(task) == 7 else well(task)

    summary, workers, _ = run(30, script)
    assert dict(summary.statuses) == {"enhanced": 29, "quarantined": 1}
    assert [number_of(task) for task in workers.begun].count(7) == 2
    with open_journal() as journal:
        assert journal.outcomes()[-1].fault_class is FaultClass.INFRASTRUCTURE


@pytest.mark.parametrize("hostile", [{7}, {7, 8}, {29}])
def test_a_recording_whose_decoding_never_ends_is_poison_after_its_second_try(run, hostile):
    def script(task):
        if content_of(task.item.input) in task.deadly:
            return Answer(task, Recognised(), content=content_of(task.item.input))
        return hung(task, "decode") if number_of(task) in hostile else well(task)

    summary, workers, notes = run(30, script)
    assert dict(summary.statuses) == {"enhanced": 30 - len(hostile), "quarantined": len(hostile)}
    counts = Counter(number_of(task) for task in workers.begun if not task.trial)
    assert counts == {**dict.fromkeys(range(30), 1), **dict.fromkeys(hostile, 2)}
    last = next(each for each in notes.outcomes if each.status is OutcomeStatus.QUARANTINED)
    reason = "it kills the worker process: decode: hung, and was ended; decode: hung, and was ended"
    assert (last.reason, last.fault_class, len(last.errors)) == (reason, FaultClass.DATA, 2)
    with open_journal() as journal:
        assert len(Poison(journal).deadly) == len(hostile)


def tier_of(task):
    return next(tier for tier in (*TIERS, "original") if tier not in task.setbacks.without)


def by_tier(task):
    answer = well(task)
    return replace(answer, result=replace(answer.result, tier=tier_of(task)))


def test_a_tier_that_is_made_to_wait_for_a_moment_loses_no_recording(run, clock):
    """Its model is on the drive that stalls, or the machine is busy with something else."""
    stalled = during(clock, 20, 25)

    def script(task):
        return hung(task, TIERS[0]) if stalled() and not task.trial else by_tier(task)

    summary, _, notes = run(60, script, 4, ladder=TIERS)
    assert dict(summary.tiers) == {TIERS[0]: 60}
    assert not any("without it" in text for text in notes.texts)


def test_a_tier_that_hangs_for_everybody_is_given_up_until_it_works_again(run, clock):
    stalled = during(clock, 20, 60)

    def script(task):
        stuck = stalled() and tier_of(task) == TIERS[0]
        return hung(task, TIERS[0]) if stuck else by_tier(task)

    summary, _, notes = run(300, script, 4, ladder=TIERS)
    assert dict(summary.statuses) == {"enhanced": 300}
    assert 40 < summary.tiers[TIERS[1]] < 80
    texts = [text for text in notes.texts if TIERS[0] in text]
    assert any("goes on without it" in text for text in texts)
    assert "works again" in texts[-1]


def test_a_recording_that_hangs_in_a_tier_has_the_next_after_its_second_try(run):
    def script(task):
        stuck = number_of(task) == 7 and tier_of(task) == TIERS[0]
        return hung(task, TIERS[0]) if stuck else by_tier(task)

    summary, workers, notes = run(30, script, ladder=TIERS)
    assert dict(summary.tiers) == {TIERS[0]: 29, TIERS[1]: 1}
    assert [number_of(task) for task in workers.begun].count(7) == 3
    assert len(notes.texts) == 0


def test_who_was_at_work_while_the_run_itself_stood_still_is_not_judged(run, monkeypatch, clock):
    """Ctrl-Z and fg, or a container that was paused: the clock goes on, and nobody else does."""
    wait, frozen = Scripted.wait, []

    def waiting(self, timeout):
        if len(self.begun) == 20 and not frozen:
            frozen.extend(self._in_hand)
            clock.advance(90.0)
        return wait(self, timeout)

    monkeypatch.setattr(Scripted, "wait", waiting)

    def script(task):
        return hung(task, TIERS[0]) if task in frozen else by_tier(task)

    summary, workers, notes = run(60, script, 4, ladder=TIERS)
    assert dict(summary.tiers) == {TIERS[0]: 60}
    assert (len(frozen), len(workers.begun), notes.texts) == (4, 64, [])


def test_a_run_that_is_slow_itself_excuses_no_recording_for_ever(run, monkeypatch, clock):
    wait = Scripted.wait

    def slow(self, timeout):
        clock.advance(10.0)
        return wait(self, timeout)

    monkeypatch.setattr(Scripted, "wait", slow)

    def script(task):
        return hung(task, "decode") if number_of(task) == 7 else well(task)

    summary, workers, _ = run(30, script)
    assert dict(summary.statuses) == {"enhanced": 29, "quarantined": 1}
    assert [number_of(task) for task in workers.begun].count(7) <= 6


def answers_of(chance, ladder):
    """What workers may answer, each a script."""
    steps = [*ladder, "decode", "encode", "read"]

    def step():
        return chance.choice(steps)

    def best_tier_dies(task):
        left = [tier for tier in ladder if tier not in task.setbacks.without]
        return dead(task, left[0]) if left else original(task)

    return [
        best_tier_dies,
        lambda task: (original if set(ladder) <= set(task.setbacks.without) else well)(task),
        lambda task: ill(task, GONE, chance.choice(["", content_of(task.item.input)])),
        lambda task: ill(task, replace(NO_MEMORY, step=step())),
        lambda task: dead(task, step()),
        lambda task: hung(task, step()),
        lambda task: dead(task, step(), Manner.KILLED),
        lambda task: original(task) if task.make_do else short(task),
        original,
        starved,
    ]


@pytest.mark.parametrize("seed", range(examples(20)))
@pytest.mark.parametrize("trial", [well, lambda task: ill(task, GONE), None])
def test_whatever_the_workers_answer_no_recording_is_begun_without_end(run, seed, trial):
    """A law: a run ends, and each of its recordings is tried a bounded number of times."""
    chance = random.Random(seed)
    answers = answers_of(chance, TIERS)
    if seed < len(answers):  # always the same
        answers = [answers[seed]]
    favourites = chance.sample(answers, min(len(answers), 3))
    counts = Counter()

    def script(task):
        counts["trial" if task.trial else task.item.input] += 1
        assert max(counts[name] for name in counts if name != "trial") <= 25
        assert counts["trial"] < 2_000
        if task.trial and trial is not None:
            return trial(task)
        return chance.choice(favourites if chance.random() < 0.9 else answers)(task)

    summary, _, _ = run(40, script, places=chance.choice([1, 2, 4]), ladder=TIERS)
    assert summary.stopped is not None or summary.left == 0


def test_what_nobody_is_at_when_the_run_is_interrupted_is_left_for_the_next(run, monkeypatch):
    def withdraw(self):
        left = list(self._in_hand)
        self._in_hand.clear()
        return left

    monkeypatch.setattr(Scripted, "withdraw", withdraw)
    waits = []

    def script(task):
        signal.raise_signal(signal.SIGINT)
        return well(task)

    summary, workers, _ = run(10, script, places=4, on_tick=lambda _: waits.append(1))
    assert (summary.exit_status, len(waits)) == (130, 1)
    assert len(workers.begun) == 4
    assert (summary.statuses["enhanced"], summary.left) == (1, 9)
    summary, _, _ = run(10, well, places=4)
    assert (summary.finished_earlier, summary.statuses["enhanced"]) == (1, 9)


def test_what_the_workers_say_reaches_people(run, monkeypatch):
    monkeypatch.setattr(Scripted, "news", lambda self: ["a machine is ill"])
    _, _, notes = run(1, well)
    assert notes.texts == ["a machine is ill"]
