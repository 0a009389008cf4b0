"""Who is to blame for a death: the bytes, the tier, the run, or nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tenuto.audio.names import path_text
from tenuto.batch.executors import Death, Manner, Task
from tenuto.batch.judging.inquest import MOST_SHARES, Doubt, Inquest
from tenuto.batch.judging.poison import Poison
from tenuto.batch.plan import Item
from tenuto.errors import ConfigurationError, FaultClass
from tenuto.journal import Attempt, AttemptEnd, Outcome, OutcomeStatus, open_journal
from tenuto.reporting import ErrorReporter

LADDER = ("high", "low")


@pytest.fixture
def journal():
    with open_journal() as journal:
        yield journal


class Court:
    """An inquest, with workers that die on demand."""

    def __init__(self, journal, **settings):
        self.journal = journal
        self.poison = Poison(journal, **settings)
        reporter = ErrorReporter("test", journal=journal, log=False)
        self.inquest = Inquest(LADDER, reporter, self.poison)

    def hold(
        self,
        task,
        step=None,
        manner=Manner.CRASHED,
        cause="killed by SIGSEGV",
        content="c0",
        *,
        stack=("a.c:1 in f",),
        **more,
    ):
        if step is not None:
            self.journal.open_attempt(Attempt(work=path_text(task.item.input), step=step))
        return self.inquest.hold(
            Death(task, 0.0, 77, cause, stack, "so long", manner, content), 0.0, **more
        )

    def survive(self, task, tier="high", content="c0"):
        outcome = Outcome(
            input=task.item.input, output="o", status=OutcomeStatus.ENHANCED, tier=tier
        )
        self.inquest.note_survival(task, outcome, content)


@pytest.fixture
def court(journal):
    return Court(journal)


def task(name="a.wav"):
    return Task(Item(f"/in/{name}", f"/out/{name}"))


def test_a_death_in_a_tier_costs_that_tier_and_those_above(court, journal):
    verdict = court.hold(task(), "low")
    assert verdict.setbacks.without == LADDER
    assert verdict.setbacks.reasons == ("low: killed by SIGSEGV",)
    (attempt,) = journal.attempts("/in/a.wav")
    assert attempt.ended is AttemptEnd.FAILED
    event = journal.event(attempt.error_id)
    assert event.details["content"] == "c0"
    assert event.details["stack"] == ["a.c:1 in f"]
    assert event.details["words"] == "so long"
    assert event.fault_class is FaultClass.INFRASTRUCTURE


def test_the_second_death_outside_a_tier_quarantines_with_the_evidence(court, journal):
    again = court.hold(task(), "decode")
    outcome = court.hold(again, "decode", Manner.HUNG, "hung, and was ended")
    assert outcome.status is OutcomeStatus.QUARANTINED
    assert outcome.reason == (
        "it kills the worker process: decode: killed by SIGSEGV; decode: hung, and was ended"
    )
    assert len(outcome.errors) == 2
    assert [each.reason for each in journal.outcomes()] == [outcome.reason]


def test_the_bytes_are_held_to_account_under_whatever_name(court):
    assert isinstance(court.hold(task("a.wav"), "decode"), Task)
    assert isinstance(court.hold(task("b.wav"), "decode"), Outcome)
    assert court.poison.deadly == ("c0",)
    other = court.inquest.prepare(task("c.wav"))
    assert other.deadly == ("c0",)
    outcome = court.inquest.recognise(other, "c0")
    assert outcome.status is OutcomeStatus.QUARANTINED
    assert (outcome.content, outcome.fault_class) == ("c0", FaultClass.DATA)
    assert outcome.reason.endswith("its bytes killed 2 workers before: killed by SIGSEGV")


def test_a_later_run_remembers(court, journal):
    court.hold(court.hold(task(), "decode"), "encode")
    later = Court(journal)
    assert later.poison.deadly == ("c0",)
    assert isinstance(later.inquest.recognise(task("z.wav"), "c0"), Outcome)
    assert Court(journal, amnesty=True).poison.deadly == ()


def test_bytes_that_kill_a_tier_are_spared_that_tier_and_no_other(court):
    court.hold(task("a.wav"), "high")
    assert court.poison.deadly == ()
    court.hold(task("b.wav"), "high")
    verdict = court.inquest.recognise(court.inquest.prepare(task("c.wav")), "c0")
    assert verdict.setbacks.without == ("high",)
    assert verdict.setbacks.reasons == ("high killed 2 workers before: killed by SIGSEGV",)
    assert len(verdict.setbacks.errors) == 1
    assert verdict.content == "c0"


def test_what_a_tier_of_another_ladder_did_is_no_matter(court, journal):
    for name in ("a.wav", "b.wav"):
        court.hold(task(name), "high")
    reporter = ErrorReporter("test", journal=journal, log=False)
    inquest = Inquest(("low",), reporter, Poison(journal))
    assert inquest.recognise(task("c.wav"), "c0") == Task(task("c.wav").item, content="c0")


def test_who_survives_is_forgiven_for_good(court, journal):
    again = court.hold(task(), "decode")
    court.survive(again)
    assert court.poison.deaths("c0") == {}
    assert isinstance(court.hold(task("b.wav"), "decode"), Task)
    court.survive(task("b.wav"))
    assert Court(journal).poison.deaths("c0") == {}


def test_to_survive_a_lower_tier_forgives_nothing_of_the_higher(court):
    for name in ("a.wav", "b.wav"):
        again = court.hold(task(name), "high")
        court.survive(again, "low")
    assert court.poison.deadly == ("c0",)


def test_evidence_that_the_journal_has_let_go_of_is_said_to_be_gone(court):
    for _ in range(2):
        court.poison.killed("c9", "high", "no such event")
    verdict = court.inquest.recognise(task(), "c9")
    assert verdict.setbacks.reasons[0].endswith("the journal has let go of it")


def test_who_is_killed_from_outside_is_not_to_blame_twice(court):
    last = task()
    for killed in (1, 2):
        last = court.hold(last, "high", Manner.KILLED, "killed by SIGKILL")
        assert (last.killed, last.setbacks.without, last.setbacks.reasons) == (killed, (), ())
        assert len(last.setbacks.errors) == killed
    last = court.hold(last, "high", Manner.KILLED, "killed by SIGKILL")
    assert last.setbacks.without == ("high",)


def test_who_had_too_little_memory_gets_more_once(court, journal):
    first = court.hold(task(), "high", Manner.STARVED, "out of memory")
    assert (first.shares, first.setbacks.without) == (MOST_SHARES, ())
    event = journal.event(first.setbacks.errors[0])
    assert event.fault_class is FaultClass.RESOURCE
    fewer = replace(first, shares=2)  # all the places there are
    second = court.hold(fewer, "high", Manner.STARVED, "out of memory")
    assert second.setbacks.without == ("high",)


def test_who_starves_even_then_outside_a_tier_is_quarantined_for_that(court):
    last = task()
    for _ in range(2):
        last = court.hold(last, "decode", Manner.STARVED, "out of memory")
    outcome = court.hold(last, "decode", Manner.STARVED, "out of memory")
    assert (outcome.status, outcome.fault_class) == ("quarantined", FaultClass.RESOURCE)
    assert len(outcome.errors) == 3


def test_a_tier_that_kills_three_in_a_row_is_withdrawn(court):
    for number in range(3):
        assert court.inquest.trust.withdrawn == ()
        court.hold(task(f"{number}.wav"), "high", content=f"c{number}")
    assert court.inquest.trust.withdrawn == ("high",)
    assert court.inquest.prepare(task()).setbacks.without == ("high",)


def test_who_survives_a_tier_clears_it(court):
    for number in range(6):
        court.hold(task(f"{number}.wav"), "high", content=f"c{number}")
        if number % 2:
            court.survive(task("good.wav"), content="good")
    assert court.inquest.trust.withdrawn == ()


def test_a_task_that_knows_all_is_left_as_it_is(court):
    known = task()
    assert court.inquest.prepare(known) is known


def test_workers_that_die_before_they_begin_stop_the_run(court):
    last = task()
    for _ in range(4):
        last = court.hold(last, content="")
        assert isinstance(last, Task)
    with pytest.raises(ConfigurationError, match="die before they begin"):
        court.hold(task("b.wav"), content="")


def test_one_recording_that_is_never_begun_ends_all_the_same(court):
    last = task()
    for _ in range(4):
        last = court.hold(last, content="")
        court.survive(task("good.wav"), content="good")
    assert court.hold(last, content="").status is OutcomeStatus.QUARANTINED


def test_only_so_many_contents_are_remembered(court, monkeypatch):
    monkeypatch.setattr("tenuto.batch.judging.poison._MOST", 3)
    for number in range(5):
        for _ in range(2):
            court.poison.killed(f"c{number}", "high", "e")
    assert court.poison.deadly == ("c2", "c3", "c4")


@pytest.mark.parametrize(
    "bad",
    [
        Outcome(input="bad.wav", output=None, status=OutcomeStatus.QUARANTINED),
        Outcome(input="silent.wav", output="o", status=OutcomeStatus.DEGRADED, tier="original"),
    ],
)
def test_what_never_came_to_a_tier_clears_none(court, bad):
    for number in range(3):
        court.hold(task(f"{number}.wav"), "high", content=f"c{number}")
        court.inquest.note_survival(task("bad.wav"), bad, "text")
    assert court.inquest.trust.withdrawn == ("high",)


HUNG = {"manner": Manner.HUNG, "cause": "hung, and was ended"}
READING = ("/x/os.py:9 in wait", "/x/tenuto/audio/codec/access.py:99 in read_at")
WRITING = ("/x/tenuto/audio/output.py:130 in _sync", "/x/tenuto/audio/enhance.py:150 in _decide")
HASHING = (*READING, "/x/tenuto/batch/content.py:31 in content_of")


@pytest.mark.parametrize("step", ["decode", "high"])
def test_who_hangs_may_have_been_made_to_wait_and_is_doubted_first(court, step):
    doubt = court.hold(task(), step, **HUNG)
    assert isinstance(doubt, Doubt)
    assert (doubt.trouble.step, doubt.trouble.fault) == (step, FaultClass.INFRASTRUCTURE)
    assert doubt.outcome.reason == f"{step}: hung, and was ended"
    assert (doubt.task.setbacks.without, doubt.task.setbacks.reasons) == ((), ())
    assert doubt.outcome.errors == doubt.task.setbacks.errors
    assert court.poison.deaths("c0") == {}
    assert court.journal.outcomes() == []  # it is tried again


def test_the_second_hang_of_a_decoder_is_the_recordings_own(court):
    doubt = court.hold(task(), "decode", **HUNG)
    outcome = court.hold(replace(doubt.task, retried=True), "decode", **HUNG)
    assert outcome.reason.count("decode: hung") == 2
    assert (outcome.fault_class, len(outcome.errors)) == (FaultClass.DATA, 2)
    assert court.poison.deaths("c0") == {"outside the tiers": list(outcome.errors)}


def test_one_that_survived_after_its_first_hang_starts_afresh(court):
    doubt = court.hold(task(), "decode", **HUNG)
    court.survive(doubt.task)
    again = court.hold(replace(doubt.task, retried=True), "decode", **HUNG)
    assert again.deaths == 1


def test_the_second_hang_in_a_tier_costs_that_tier(court):
    doubt = court.hold(task(), "high", **HUNG)
    lower = court.hold(replace(doubt.task, retried=True), "high", **HUNG)
    assert (lower.setbacks.without, lower.setbacks.reasons) == (
        ("high",),
        ("high: hung, and was ended",),
    )
    assert len(lower.setbacks.errors) == 2


@pytest.mark.parametrize(
    ("step", "stack", "named"),
    [
        (None, HASHING, "read"),
        (None, ("/x/tenuto/audio/enhance.py:200 in _most_seconds",), "read"),
        (None, ("/x/tenuto/journal/spool.py:9 in f", WRITING[1]), "journal"),
        ("decode", ("/x/tenuto/journal/spool.py:9 in f", WRITING[1]), "journal"),
        ("decode", READING, "read"),
        ("high", READING, "read"),
        ("high", WRITING, "encode"),
        ("encode", ("/x/tenuto/audio/codec/libav.py:9 in f",), "encode"),
    ],
)
def test_who_hangs_at_a_file_is_never_poison(court, step, stack, named):
    last = replace(task(), retried=True, deaths=1)
    for _ in range(4):
        doubt = court.hold(last, step, stack=stack, **HUNG)
        assert doubt.trouble.step == named
        assert doubt.outcome.fault_class is FaultClass.INFRASTRUCTURE
        last = doubt.task
    assert court.poison.deaths("c0") == {}
    assert len(court.journal.outcomes()) == 4  # it may be the last that is heard of it
    assert not [each for each in court.journal.open_attempts() if each.work == "/in/a.wav"]


def test_workers_that_hang_hashing_have_begun(court):
    for number in range(6):
        court.hold(task(f"{number}.wav"), stack=HASHING, content="", **HUNG)


def test_a_worker_that_hangs_before_it_begins_has_not(court):
    for number in range(4):
        stack = ("/x/tenuto/journal/spool.py:9 in f", "/x/tenuto/batch/worker.py:9 in serve")
        court.hold(task(f"{number}.wav"), content="", stack=stack, **HUNG)
    with pytest.raises(ConfigurationError, match="hung, and was ended"):
        court.hold(task("4.wav"), content="", **HUNG)


def test_a_crash_is_at_the_step_that_was_begun_whatever_file_it_was_at(court):
    assert court.hold(task(), "high", stack=READING).setbacks.without == ("high",)


def test_who_hung_while_the_run_stood_still_goes_on_as_if_nothing_had_happened(court):
    again = court.hold(replace(task(), begun=3), "high", frozen=True, **HUNG)
    assert (again.setbacks.without, again.deaths, again.retried) == ((), 0, False)
    assert len(again.setbacks.errors) == 1
    assert isinstance(court.hold(replace(again, begun=4), "high", frozen=True, **HUNG), Doubt)
    crashed = court.hold(replace(task("b.wav"), begun=1), "high", frozen=True)
    assert crashed.setbacks.without == ("high",)
