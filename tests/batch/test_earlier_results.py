"""What earlier runs have written: what holds, what is replaced, what is nobody's business."""

from __future__ import annotations

import json
import os

import pytest

from tenuto.batch import Batch
from tenuto.batch.budget import ErrorBudget
from tenuto.batch.ledger.asking import Outcomes, Question
from tenuto.batch.replay import Replay
from tenuto.errors import ConfigurationError
from tenuto.journal import OutcomeStatus

from .conftest import ledger_of

BAD = {"status": OutcomeStatus.QUARANTINED, "reason": "broken", "tier": None}
OTHERS = [{"overwrite": True}, {"meter": "dnsmos"}, {"format": "wav"}]


def listed(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"manifests": [path]}


def sounds(folder):
    return sorted(path.name for path in folder.rglob("[a-z].*"))


@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_finished_work_whose_input_is_gone_is_kept_whatever_else_has_changed(
    runs, source, out, tmp_path, other
):
    rows = listed(tmp_path / "list.jsonl", {"path": "in/a.wav"}, {"path": "in/b.wav"})
    runs.run([], out, sources=rows)
    (source / "a.wav").unlink()
    summary = runs.run([], out, sources=rows, **other)
    assert (summary.finished_earlier, summary.statuses["enhanced"], summary.exit_status) == (
        1,
        1,
        0,
    )
    assert runs.notes.plan.without_input == 1
    assert ledger_of(out)["a.wav"]["status"] == "enhanced"


def test_results_that_are_listed_with_the_recordings_are_no_inputs(runs, source, out, tmp_path):
    for _ in range(3):
        found = sorted(path for path in tmp_path.rglob("*.wav") if path.is_file())
        rows = listed(tmp_path / "list.jsonl", *({"path": str(path)} for path in found))
        summary = runs.run([], source / "enhanced", sources=rows)
        assert summary.inputs == 3
    assert (summary.finished_earlier, summary.ignored) == (3, 3)


def test_a_list_from_another_folder_finds_its_results_where_they_are(
    runs, source, out, tmp_path, monkeypatch
):
    from io import BytesIO

    from tenuto.batch.sources.manifest import read_list

    text = b"".join(os.fsencode(path) + b"\n" for path in sorted(source.iterdir()))
    monkeypatch.chdir(source)
    runs.run([], out, sources={"names": read_list(BytesIO(text), null=False)})
    monkeypatch.chdir(tmp_path)
    again = {"names": read_list(BytesIO(text), null=False)}
    assert runs.run([], out, sources=again).finished_earlier == 3
    (source / "b.wav").write_text("another, and longer sound")
    again = {"names": read_list(BytesIO(text), null=False)}
    assert runs.run([], out, sources=again).ended == 1
    assert sounds(out) == ["a.wav", "b.wav", "c.wav"]  # it has kept its place


def test_what_is_done_again_under_another_name_replaces_what_there_was(runs, source, out):
    runs.run(source, out)
    assert runs.run(source, out, format="flac").ended == 3
    assert sounds(out) == ["a.flac", "b.flac", "c.flac"]


def test_the_result_of_a_recording_that_is_broken_by_now_stays_and_stays_ours(runs, source, out):
    runs.run(source, out)
    (source / "a.wav").write_text("no sound any more")
    assert runs.run(source, out, lambda _: BAD).exit_status == 1
    assert ledger_of(out)["a.wav"]["output"] is None
    assert "made of" in (out / "a.wav").read_text()
    with Outcomes(str(out)) as outcomes:
        assert [each.outcome.output for each in outcomes.find(Question(status="quarantined"))] == [
            None
        ]
    (source / "a.wav").write_text("and now it is sound again")
    assert runs.run(source, out).exit_status == 0
    assert sounds(out) == ["a.wav", "b.wav", "c.wav"]


def test_a_file_put_where_a_quarantined_one_has_none_is_not_replaced(runs, source, out):
    runs.run(source, out, lambda path: BAD if path.endswith("a.wav") else {})
    (out / "a.wav").write_text("mended by hand")
    (source / "a.wav").write_text("another one")
    with pytest.raises(ConfigurationError, match=r"a\.wav exists and is not in outcomes"):
        runs.run(source, out)
    assert (out / "a.wav").read_text() == "mended by hand"


def test_a_run_that_was_stopped_with_nothing_in_hand_leaves_no_doubt_about_others(
    runs, source, out
):
    summary = runs.run(source, out, lambda _: BAD, budget=ErrorBudget(0.0))
    assert summary.stopped is not None
    (source / "new.wav").write_text("sound")
    (out / "new.wav").write_text("precious")
    with pytest.raises(ConfigurationError, match=r"new\.wav exists and is not in outcomes"):
        runs.run(source, out)


def test_a_dry_run_refuses_what_the_run_refuses(source, out):
    out.mkdir()
    (out / "a.wav").write_text("precious")
    batch = Batch(ladder=("basic",), meter="none")
    with pytest.raises(ConfigurationError, match="exists"), batch.plan([source], out):
        pass
    (out / ".tenuto-run").write_text("x")  # but not after a run that was killed
    with batch.plan([source], out) as (plan, _):
        assert plan.left == 3
    with (
        pytest.raises(ConfigurationError, match="jobs"),
        Batch(ladder=("basic",), meter="none", jobs=0).plan([source], out),
    ):
        pass


def test_where_there_are_no_recordings_at_all_the_run_says_so(runs, source, out, tmp_path):
    runs.run(source, out)
    for path in source.iterdir():
        path.unlink()
    (source / "notes.txt").touch()
    with pytest.raises(ConfigurationError, match="it holds no recordings, only 1 other file"):
        runs.run(source, out)
    with pytest.raises(ConfigurationError, match=r"it holds no recordings$"):
        runs.run([], out, sources=listed(tmp_path / "list.jsonl"))


def test_a_quarantined_recording_that_was_put_right_needs_no_canary(runs, source, out):
    for number in range(5):
        (source / f"{number}.wav").write_text(f"bad {number}")
    runs.run(source, out, lambda _: BAD)
    (source / "c.wav").write_text("a good one")
    runs.run(
        source,
        out,
        lambda path: {} if path.endswith("c.wav") else BAD,
        replay=Replay.parse(["canary"]),
    )
    assert sorted(runs.done) == ["0.wav", "1.wav", "2.wav", "c.wav"]
    assert ledger_of(out)["c.wav"]["status"] == "enhanced"


def test_a_touched_recording_has_the_same_time_in_the_ledger_and_its_line(runs, source, out):
    runs.run(source, out)
    os.utime(source / "b.wav", ns=(0, 5_000_000_000))
    runs.run(source, out)
    assert ledger_of(out)["b.wav"]["modified_ns"] == 5_000_000_000


def test_what_a_manifest_says_now_is_what_the_outcome_carries(runs, source, out, tmp_path):
    path = tmp_path / "list.jsonl"
    runs.run([], out, sources=listed(path, {"path": "in/a.wav", "text": "helo"}))
    rows = listed(path, {"path": "in/a.wav", "text": "hello"})
    assert runs.run([], out, sources=rows).finished_earlier == 1
    assert ledger_of(out)["a.wav"]["manifest"] == {"text": "hello"}
    with Batch(ladder=("basic",), meter="none").plan([], out, **rows) as (plan, _):
        assert plan.finished == 1
    assert runs.run([source], out).inputs == 3  # a folder says nothing of texts
    assert ledger_of(out)["a.wav"]["manifest"] == {"text": "hello"}


def test_rows_that_want_something_else_of_the_same_recording_are_told(runs, source, out, tmp_path):
    rows = listed(
        tmp_path / "list.jsonl",
        {"path": "in/a.wav", "output": "x.wav", "text": "one", "n": 1},
        {"path": "in/a.wav", "output": "y.wav", "text": "one", "n": 1},
        {"path": "in/a.wav", "output": "x.wav", "text": "two", "n": 1},
        {"path": "in/a.wav", "output": "x.wav", "n": 1, "text": "one"},
        {"path": "in/b"},
        {"path": "in/b", "output": "b.wav"},
    )
    for _ in range(2):
        summary = runs.run([], out, lambda p: {} if p.endswith("a.wav") else BAD, sources=rows)
        assert (summary.inputs, summary.bad_rows, runs.notes.plan.repeated) == (2, 3, 1)
        told = [text.split(": ", 1)[1] for text in runs.notes.plan.bad_rows_first]
        assert told[:2] == [
            "its input was named before, with the output 'x.wav'",
            "its input was named before, with other columns",
        ]
        assert "named before" in told[2]
    rows = listed(tmp_path / "list.jsonl", {"path": "in/c", "output": "c.wav"})
    runs.run([], out, sources=rows)
    assert "give --format" in runs.notes.plan.bad_rows_first[0]


def test_a_run_that_is_refused_leaves_everything_as_it_was(runs, source, out, tmp_path):
    with pytest.raises(ConfigurationError, match="is an input folder"):
        runs.run(source, source)
    with pytest.raises(ConfigurationError, match="the manifest"):
        runs.run([], out, sources={"manifests": [tmp_path / "nowhere.csv"]})
    assert sorted(path.name for path in source.iterdir()) == ["a.wav", "b.wav", "c.wav"]
    assert not out.exists()


def test_an_empty_name_is_not_the_current_folder(runs, source, out):
    with pytest.raises(ConfigurationError, match="it is empty"):
        runs.run("", out)
    with pytest.raises(ConfigurationError, match="it is empty"):
        runs.run(source, "")
    with (
        pytest.raises(ConfigurationError, match="it is empty"),
        Batch(ladder=("basic",), meter="none").plan([source], ""),
    ):
        pass
