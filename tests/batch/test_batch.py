"""Whole runs with real worker processes, and engines that do their worst."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tenuto.batch import Batch, Patience
from tenuto.batch.replay import Replay
from tenuto.errors import ConfigurationError
from tenuto.journal import open_journal

from .conftest import ledger_of, record

pytestmark = pytest.mark.usefixtures("plugin")


def run(paths, out, *ladder, watcher=None, **settings):
    batch = Batch(ladder=ladder or ("steady",), **{"meter": "none", "jobs": 1, **settings})
    summary = batch.run([paths] if isinstance(paths, Path) else paths, out, watcher)
    done = sum(summary.statuses.values())
    earlier = summary.finished_earlier + summary.quarantined_earlier
    assert summary.inputs == done + earlier + summary.left
    return summary


def test_every_recording_is_enhanced_and_keeps_its_place(recordings, tmp_path):
    summary = run(recordings, tmp_path / "out", jobs=2)
    assert dict(summary.statuses) == {"enhanced": 3}
    assert (summary.exit_status, summary.ignored, summary.left) == (0, 1, 0)
    names = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*"))
    ours = [".tenuto", ".tenuto/ledger.db"]
    assert names == [*ours, "a.wav", "b.flac", "deep/c.wav", "outcomes.jsonl"]
    lines = ledger_of(tmp_path / "out")
    assert lines["a.wav"]["status"] == "enhanced"
    assert lines["a.wav"]["audio_seconds"] == 1.0
    assert lines["a.wav"]["engine"] == "steady"
    assert lines["c.wav"]["output"] == str(tmp_path / "out/deep/c.wav")


def test_the_journal_has_an_outcome_for_every_input_and_no_open_attempt(recordings, tmp_path):
    run(recordings, tmp_path / "out")
    with open_journal() as journal:
        assert len(journal.outcomes()) == 3
        assert {attempt.step for attempt in journal.attempts()} == {"decode", "steady", "encode"}
        assert journal.open_attempts() == []


def test_finished_work_is_not_done_again(recordings, tmp_path):
    out = tmp_path / "out"
    run(recordings, out)
    before = (out / "outcomes.jsonl").read_text()
    (out / "b.flac").unlink()
    record(recordings / "new.wav")
    summary = run(recordings, out)
    assert (summary.inputs, summary.finished_earlier, summary.ended) == (4, 2, 2)
    assert (out / "b.flac").exists()
    lines = ledger_of(out)
    assert len(lines) == 4
    assert json.dumps(lines["a.wav"]) in before
    assert run(recordings, out).finished_earlier == 4


def test_overwrite_does_all_again(recordings, tmp_path):
    run(recordings, tmp_path / "out")
    summary = run(recordings, tmp_path / "out", overwrite=True)
    assert (summary.finished_earlier, summary.ended) == (0, 3)
    assert len(ledger_of(tmp_path / "out")) == 3


def test_what_was_quarantined_is_left_there_until_it_is_put_right_or_replayed(recordings, tmp_path):
    bad = recordings / "bad.wav"
    bad.write_text("words, words, words")
    summary = run(recordings, tmp_path / "out")
    assert (summary.statuses["quarantined"], summary.exit_status) == (1, 1)
    line = ledger_of(tmp_path / "out")["bad.wav"]
    assert line["output"] is None
    assert "is text" in line["reason"]
    with open_journal() as journal:
        event = journal.event(line["errors"][-1])
    assert "is text" in event.message
    assert (line["fault_class"], line["group"]) == ("data", event.fingerprint)
    summary = run(recordings, tmp_path / "out")
    assert (summary.quarantined_earlier, summary.ended, summary.exit_status) == (1, 0, 1)
    summary = run(recordings, tmp_path / "out", replay=Replay.parse([f"group:{event.fingerprint}"]))
    assert (summary.statuses["quarantined"], summary.exit_status) == (1, 1)
    shutil.copy(recordings / "a.wav", bad)
    summary = run(recordings, tmp_path / "out")
    assert (summary.finished_earlier, summary.exit_status) == (3, 0)
    assert ledger_of(tmp_path / "out")["bad.wav"]["status"] == "enhanced"


def test_a_file_that_no_run_has_written_is_not_replaced(recordings, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.wav").write_text("precious")
    with pytest.raises(ConfigurationError, match=r"a\.wav exists"):
        run(recordings, out)
    assert (out / "a.wav").read_text() == "precious"
    run(recordings, out, overwrite=True)
    assert ledger_of(out)["a.wav"]["status"] == "enhanced"


def test_what_is_wrong_with_many_is_one_group_whatever_they_are_called(tmp_path):
    names = ("take one, again.wav", "it's [2].wav", "plain.wav", "Grüße an alle.wav")
    for name in names:
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text("text, and no sound at all")
    run(tmp_path / "in", tmp_path / "out")
    with open_journal() as journal:
        assert [group.count for group in journal.groups()] == [len(names)]


def test_an_engine_that_takes_its_process_with_it_costs_one_tier(tmp_path):
    source = record(tmp_path / "in" / "a.wav")
    causes = {
        "crashing": "killed by SIGSEGV",
        "aborting": "killed by SIGABRT",
        "killed": "killed by SIGKILL",
        "leaving": "ended with status 0",
    }
    summary = run(source, tmp_path / "out", *causes, "steady")
    assert dict(summary.tiers) == {"steady": 1}
    line = ledger_of(tmp_path / "out")["a.wav"]
    assert line["reason"] == "; ".join(f"{tier}: {cause}" for tier, cause in causes.items())
    with open_journal() as journal:
        events = [journal.event(error) for error in line["errors"]]
        attempts = {attempt.step: attempt for attempt in journal.attempts()}
    steps = [(event.details["step"], event.details["cause"]) for event in events]
    assert list(dict.fromkeys(steps)) == list(causes.items())
    # A worker that is killed from outside is not held against anybody, twice.
    assert [step for step, _ in steps].count("killed") == 3
    assert len(steps) == 6
    assert "odd_engines.py" in events[0].details["stack"][0]
    assert events[2].details["stack"] == []
    for event in (events[0], events[1], events[4], events[5]):
        attempt = attempts[event.details["step"]]
        assert (attempt.ended, attempt.error_id) == ("failed", event.id)


def test_an_engine_that_hangs_is_ended_and_it_is_known_where_it_was(tmp_path):
    source = record(tmp_path / "in" / "a.wav")
    patience = Patience(seconds=6.0, per_second=0.0, start=6.0)
    run(source, tmp_path / "out", "hanging", "steady", patience=patience)
    line = ledger_of(tmp_path / "out")["a.wav"]
    assert (line["tier"], line["reason"]) == ("steady", "hanging: hung, and was ended")
    with open_journal() as journal:
        assert "odd_engines.py" in journal.event(line["errors"][0]).details["stack"][0]


def test_when_every_tier_kills_the_original_is_kept(tmp_path):
    source = record(tmp_path / "in" / "a.wav")
    summary = run(source, tmp_path / "out", "crashing", "leaving")
    assert summary.statuses["degraded"] == 1
    line = ledger_of(tmp_path / "out")["a.wav"]
    assert line["tier"] == "original"
    assert len(line["errors"]) == 2
    assert (tmp_path / "out/a.wav").read_bytes() == source.read_bytes()


def test_a_tier_that_kills_again_and_again_is_withdrawn(tmp_path):
    for number in range(6):
        record(tmp_path / "in" / f"{number}.wav", seconds=0.3, seed=number)
    notes = Notes()
    summary = run(tmp_path / "in", tmp_path / "out", "killed", "steady", watcher=notes)
    assert summary.statuses["enhanced"] == 6
    assert any("goes on without it" in note for note in notes.texts)
    lines = ledger_of(tmp_path / "out")
    assert sum(bool(line["errors"]) for line in lines.values()) == 3


def test_the_configuration_of_an_engine_stops_the_run(recordings, tmp_path):
    summary = run(recordings, tmp_path / "out", "unset")
    assert summary.exit_status == 2
    assert "install it" in summary.stopped
    assert summary.left == 3
    assert not list((tmp_path / "out").rglob("*.wav"))
    assert run(recordings, tmp_path / "out").exit_status == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"ladder": ("no_such_tier",)},
        {"ladder": ()},
        {"jobs": 0},
        {"min_quality": 7.0, "meter": "dnsmos"},
        {"format": "docx"},
    ],
    ids=str,
)
def test_wrong_settings_are_told_before_the_work_begins(recordings, tmp_path, settings):
    with pytest.raises(ConfigurationError):
        Batch(**{"ladder": ("steady",), "meter": "none", **settings}).run(
            [recordings], tmp_path / "out"
        )
    assert not (tmp_path / "out" / "a.wav").exists()


def test_two_inputs_for_one_output_are_both_kept(tmp_path):
    record(tmp_path / "in" / "a.wav")
    record(tmp_path / "in" / "a.flac")
    summary = run(tmp_path / "in", tmp_path / "out", format="flac")
    assert summary.statuses["enhanced"] == 2
    outputs = {Path(line["output"]).name for line in ledger_of(tmp_path / "out").values()}
    assert outputs == {"a.flac", "a.wav.flac"}


def test_a_name_that_is_not_utf_8_is_a_name(tmp_path):
    name = os.fsdecode(b"caf\xe9.wav")
    record(tmp_path / "in" / "a.wav").rename(tmp_path / "in" / name)
    assert run(tmp_path / "in", tmp_path / "out").exit_status == 0
    assert (tmp_path / "out" / name).exists()
    text = (tmp_path / "out/outcomes.jsonl").read_bytes().decode("utf-8")
    assert json.loads(text)["input"].endswith("/in/caf%E9.wav")
    assert run(tmp_path / "in", tmp_path / "out").finished_earlier == 1
    with open_journal() as journal:
        assert journal.outcomes()[0].input.endswith("/in/caf%E9.wav")


class Notes:
    def __init__(self):
        self.texts = []

    def began(self, plan, summary): ...

    def ended(self, outcome, summary): ...

    def noted(self, text):
        self.texts.append(text)

    def ticked(self, summary): ...
