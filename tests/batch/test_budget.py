"""``--budget``: how many recordings of a run may end worse than enhanced."""

from __future__ import annotations

import random

import pytest

from tenuto.batch import Batch
from tenuto.batch.budget import Account, ErrorBudget
from tenuto.batch.replay import Replay
from tenuto.batch.work import Work
from tenuto.clock import SimulatedClock
from tenuto.errors import ConfigurationError
from tenuto.journal import OutcomeStatus

from .conftest import record


@pytest.mark.parametrize(
    ("text", "share", "shown"),
    [
        ("1%", 0.01, "1%"),
        (" 2.5 % ", 0.025, "2.5%"),
        ("0.01", 0.01, "1%"),
        (".5", 0.5, "50%"),
        ("0", 0.0, "0%"),
        ("0%", 0.0, "0%"),
        ("100%", 1.0, "100%"),
        ("0.001%", 0.00001, "0.001%"),
    ],
)
def test_a_share_is_said_in_per_cent_or_as_a_number(text, share, shown):
    budget = ErrorBudget.parse(text)
    assert budget.share == pytest.approx(share)
    assert str(budget) == shown


@pytest.mark.parametrize("text", ["5", "101%", "-1%", "1e-2", "", "%", "one", "1%%"])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(ConfigurationError, match=r"give 1%, or 0\.01"):
        ErrorBudget.parse(text)


@pytest.mark.parametrize("text", ["1", "1.0"])
def test_what_could_mean_two_things_is_refused_with_a_way_to_say_either(text):
    with pytest.raises(ConfigurationError, match=r"give 1%, or 100%"):
        ErrorBudget.parse(text)


@pytest.mark.parametrize(
    ("share", "inputs", "allowed"), [(0.07, 100, 7), (0.01, 46, 0), (0.1, 46, 4), (1, 5, 5)]
)
def test_a_budget_is_a_whole_number_of_recordings(share, inputs, allowed):
    assert ErrorBudget(share).allowed(inputs) == allowed


GOOD, FAIR, BAD = OutcomeStatus.ENHANCED, OutcomeStatus.DEGRADED, OutcomeStatus.QUARANTINED


def account(share, inputs, bad=0, sample=None):
    return Account(ErrorBudget(share), inputs=inputs, bad=bad, sample=sample or inputs)


def take(account, *statuses, sampled=True):
    for status in statuses:
        account.take(status, sampled=sampled)
    return account.objection()


def test_a_budget_that_is_spent_says_so():
    ours = account(0.1, inputs=46)
    assert take(ours, *[GOOD] * 40, BAD, FAIR, FAIR, BAD) is None
    objection = take(ours, FAIR)
    begins = "stopped when 5 recordings had ended degraded or quarantined, and the budget of 10%"
    assert objection.startswith(begins)
    assert "allows for 4 of 46; see what went wrong" in objection


def test_a_doomed_run_is_stopped_long_before_the_budget_is_spent():
    ours = account(0.01, inputs=10_000_000)
    objection = take(ours, *[BAD, GOOD, GOOD, GOOD, GOOD] * 20)
    assert objection.startswith("20 of the first 100 recordings ended degraded or quarantined")
    assert "allows for 100,000 of 10,000,000" in objection
    assert "less than once in a million times" in objection


def test_in_random_order_a_bad_folder_does_not_stop_a_run_that_keeps_its_budget():
    """One folder of a hundred is all bad: exactly as many as the budget allows."""
    recordings = [BAD] * 200 + [GOOD] * 19_800
    assert take(account(0.01, 20_000), *recordings[:50]) is not None  # were it the first
    for seed in range(20):
        random.Random(seed).shuffle(recordings)
        ours = account(0.01, 20_000)
        assert all(take(ours, status) is None for status in recordings)


def test_no_budget_at_all_stops_at_the_first_failure():
    ours = account(0, inputs=10)
    assert take(ours, GOOD) is None
    assert take(ours, FAIR) is not None


def test_one_recording_is_one():
    assert "when 1 recording had ended" in take(account(0, inputs=10), BAD)


def test_a_run_that_has_come_to_its_end_is_not_stopped():
    """There is nothing to go on with: its status is that of what ended."""
    assert take(account(0.1, inputs=3), GOOD, GOOD, BAD) is None
    ours = account(0, inputs=5, bad=2, sample=3)
    ours.forgive(2)
    assert take(ours, GOOD, GOOD, BAD) is not None
    assert take(ours, BAD, sampled=False) is not None
    assert take(ours, BAD, sampled=False) is None


def test_what_ended_badly_in_earlier_runs_is_spent_but_says_nothing_of_what_is_to_come():
    assert take(account(0.1, inputs=100, bad=10, sample=50)) is None
    assert take(account(0.1, inputs=100, bad=10, sample=50), GOOD) is None
    assert take(account(0.1, inputs=100, bad=10, sample=50), BAD) is not None
    assert take(account(0.1, inputs=100, bad=11, sample=50)) is not None


def test_what_waited_for_canaries_is_counted_but_is_no_sample():
    ours = account(0.1, inputs=10_000, bad=1_500, sample=8_500)
    assert "1,500 recordings" in ours.objection()
    ours.forgive(1_500)
    assert take(ours, *[BAD] * 1_000, *[GOOD] * 500, sampled=False) is None
    assert take(ours, *[GOOD] * 8_000) is None
    assert "1,001 recordings" in take(ours, BAD)


@pytest.mark.usefixtures("plugin")
class TestRuns:
    def run(self, recordings, tmp_path, budget, **settings):
        batch = Batch(ladder=("steady",), meter="none", jobs=1, budget=budget, **settings)
        return batch.run([recordings], tmp_path / "out")

    def test_a_run_stops_when_its_budget_is_spent_and_goes_on_with_a_larger_one(
        self, recordings, tmp_path
    ):
        for number in range(20):
            (recordings / f"{number}.wav").write_text("words, words, words")
            record(recordings / "good" / f"{number}.wav", seconds=0.2)
        summary = self.run(recordings, tmp_path, ErrorBudget(0.05))
        assert "the budget of 5% allows for 2 of 43" in summary.stopped
        assert summary.exit_status == 2
        assert summary.statuses["quarantined"] >= 3
        assert summary.left > 0
        assert self.run(recordings, tmp_path, ErrorBudget(0.05)).left == summary.left
        summary = self.run(recordings, tmp_path, ErrorBudget(0.5))
        assert (summary.stopped, summary.left, summary.exit_status) == (None, 0, 1)

    def test_a_run_within_its_budget_ends_as_any_other(self, recordings, tmp_path):
        (recordings / "bad.wav").write_text("words, words, words")
        summary = self.run(recordings, tmp_path, ErrorBudget(0.25))
        assert (summary.stopped, summary.exit_status, summary.left) == (None, 1, 0)

    def test_what_is_tried_again_is_forgiven_first(self, recordings, tmp_path):
        for name in ("bad.wav", "worse.wav"):
            (recordings / name).write_text("words, words, words")
        summary = self.run(recordings, tmp_path, ErrorBudget(0.5))
        assert (summary.statuses["quarantined"], summary.stopped) == (2, None)
        for name in ("bad.wav", "worse.wav"):
            record(recordings / name)
        replay = Replay.parse(["canary"])
        summary = self.run(recordings, tmp_path, ErrorBudget(0), replay=replay)
        assert (summary.stopped, summary.statuses["enhanced"]) == (None, 2)

    def test_the_order_is_random_and_nothing_is_left_out(self, recordings, tmp_path):
        for number in range(1_200):
            (recordings / f"{number:04}.wav").touch()
        with Batch().plan([recordings], tmp_path / "out") as (_, work):
            given = [item.input for item in work]
            shuffled = Work(work._ledger, chance=SimulatedClock(seed=3))
            taken = [item.input for item in iter(shuffled.next, None)]
        assert taken != given
        assert sorted(taken) == sorted(given)
