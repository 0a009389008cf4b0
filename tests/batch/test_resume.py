"""What is finished is left alone, as long as its input and the settings are the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tenuto.audio.engines import Engine
from tenuto.batch import Batch
from tenuto.errors import ConfigurationError
from tenuto.journal import OutcomeStatus

from .conftest import ledger_of

BAD = {"status": OutcomeStatus.QUARANTINED, "reason": "broken", "tier": None}


def later(path, text=None):
    """Change ``path``, or only its time."""
    found = path.stat()
    if text is not None:
        path.write_text(text)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000_000))


def test_nothing_is_begun_of_what_is_finished(runs, source, out):
    assert runs.run(source, out).exit_status == 0
    assert runs.done == ["a.wav", "b.wav", "c.wav"]
    summary = runs.run(source, out)
    assert (summary.finished_earlier, summary.ended, runs.done) == (3, 0, [])


def test_an_input_that_has_changed_is_done_again(runs, source, out):
    runs.run(source, out)
    later(source / "b.wav", "other sound of b")
    summary = runs.run(source, out)
    assert (summary.finished_earlier, runs.done) == (2, ["b.wav"])
    assert runs.notes.plan.again == {"the input has changed": 1}
    later(source / "b.wav", "OTHER sound of b")  # as long as before
    summary = runs.run(source, out)
    assert (summary.finished_earlier, summary.ended) == (2, 1)


def test_an_input_that_was_only_touched_is_not(runs, source, out):
    runs.run(source, out)
    before = (out / "b.wav").stat().st_mtime_ns
    later(source / "b.wav")
    summary = runs.run(source, out)
    assert (summary.finished_earlier, summary.ended, summary.left) == (3, 0, 0)
    assert (out / "b.wav").stat().st_mtime_ns == before
    summary = runs.run(source, out)
    assert (summary.finished_earlier, runs.done) == (3, [])  # its new time is known by now


def test_an_input_that_is_gone_stays_what_it_was(runs, source, out):
    runs.run([source / "a.wav", source / "b.wav"], out)
    (source / "a.wav").unlink()
    assert runs.run([source / "a.wav", source / "b.wav"], out).finished_earlier == 2


@pytest.mark.parametrize(
    "other",
    [{"ladder": ("basic", "original")}, {"meter": "dnsmos"}, {"format": "flac"}],
    ids=str,
)
def test_with_other_settings_all_is_done_again(runs, source, out, other):
    runs.run(source, out)
    summary = runs.run(source, out, **other)
    assert (summary.finished_earlier, summary.ended) == (0, 3)
    assert runs.notes.plan.again == {"with other settings or versions": 3}
    assert runs.run(source, out, **other).finished_earlier == 3


def test_with_another_version_of_the_engine_all_is_done_again(runs, source, out, monkeypatch):
    runs.run(source, out)
    from tenuto.audio.engines import engine_for

    monkeypatch.setattr(type(engine_for("basic", 16_000)), "packages", ("pytest",))
    assert runs.run(source, out).ended == 3
    monkeypatch.setattr(Engine, "packages", ("not-installed",))
    assert runs.run(source, out).finished_earlier == 3  # of an engine that is not in the ladder


def test_what_makes_no_difference_to_the_results_is_no_reason_to_do_it_again(runs, source, out):
    runs.run(source, out, jobs=1)
    assert runs.run(source, out, jobs=2, journal=out.parent / "other").finished_earlier == 3


def test_quarantined_inputs_are_left_there_and_count(runs, source, out):
    judge = {"b.wav": BAD}
    summary = runs.run(source, out, lambda path: judge.get(Path(path).name, {}))
    assert (summary.statuses["quarantined"], summary.exit_status) == (1, 1)
    summary = runs.run(source, out)
    assert (summary.quarantined_earlier, summary.finished_earlier, summary.exit_status) == (1, 2, 1)
    assert runs.done == []
    assert ledger_of(out)["b.wav"]["status"] == "quarantined"


def test_a_quarantined_input_that_was_put_right_is_done(runs, source, out):
    runs.run(source, out, lambda path: BAD if path.endswith("b.wav") else {})
    later(source / "b.wav")
    assert runs.run(source, out).quarantined_earlier == 1  # touched, and as broken as before
    later(source / "b.wav", "sound at last")
    summary = runs.run(source, out)
    assert (summary.exit_status, runs.done) == (0, ["b.wav"])


def test_one_that_was_not_there_is_done_when_it_is(runs, source, out):
    paths = [source / "a.wav", source / "later.wav"]
    runs.run(paths, out, lambda path: BAD if path.endswith("later.wav") else {})
    assert runs.run(paths, out).quarantined_earlier == 1
    (source / "later.wav").write_text("here")
    assert runs.run(paths, out).exit_status == 0


def test_an_outcome_tells_what_it_is_about_and_how_it_was_reached(runs, source, out):
    runs.run(source, out)
    line = ledger_of(out)["a.wav"]
    found = (source / "a.wav").stat()
    assert (line["size"], line["modified_ns"]) == (found.st_size, found.st_mtime_ns)
    assert len(line["content"]) == 32
    assert (out / "a.wav").read_text() == f"made of {line['content']}"
    assert line["attempts"] == 1
    assert len(line["parameters"]) == 12
    assert len({each["parameters"] for each in ledger_of(out).values()}) == 1


def test_what_was_written_before_its_outcome_was_known_is_written_again(runs, source, out):
    def stop(path):
        raise RuntimeError("the run is killed")

    with pytest.raises(RuntimeError):
        runs.run(source, out, stop)
    (out / "a.wav").write_text("half of it")
    assert runs.run(source, out).ended == 3
    assert "half" not in (out / "a.wav").read_text()


def test_the_search_for_inputs_can_be_interrupted(runs, source, out, monkeypatch):
    def interrupted(*_):
        from tenuto.batch.interruption import Interruption

        interruption = Interruption()
        interruption(15, None)
        return interruption

    from contextlib import contextmanager

    monkeypatch.setattr("tenuto.batch.planning._AT_ONCE", 2)
    monkeypatch.setattr(
        "tenuto.batch.enhancing.interruptible", contextmanager(lambda: (yield interrupted()))
    )
    summary = runs.run(source, out)
    assert (summary.interrupted_by, summary.inputs, summary.left) == (15, 2, 2)
    assert runs.notes.plan.complete is False
    monkeypatch.undo()


def test_an_input_folder_cannot_be_the_output_folder(source):
    with pytest.raises(ConfigurationError, match="name another"):
        Batch(ladder=("basic",), meter="none").run([source], source)


def test_a_plan_says_what_would_be_done_and_changes_nothing(runs, source, out):
    batch = Batch(ladder=("basic",), meter="none")
    with batch.plan([source], out) as (plan, items):
        assert [Path(item.output).name for item in items] == ["a.wav", "b.wav", "c.wav"]
        assert plan.left == 3
    assert not out.exists()
    runs.run(source, out)
    (out / "c.wav").unlink()
    with batch.plan([source], out) as (plan, items):
        assert [Path(item.output).name for item in items] == ["c.wav"]
        assert (plan.finished, plan.left) == (2, 1)
