"""What comes out of quarantine, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenuto.batch.replay import Replay
from tenuto.errors import ConfigurationError, FaultClass
from tenuto.journal import OutcomeStatus

GROUPS = {
    "d": {"group": "v1:d0", "fault_class": FaultClass.DATA},
    "i": {"group": "v1:10", "fault_class": FaultClass.INFRASTRUCTURE},
    "n": {},
}


@pytest.fixture
def quarantine(tmp_path, runs):
    """Six by data, five by infrastructure, two by nobody knows what; and one that is well."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in (*(f"d{n}" for n in range(6)), *(f"i{n}" for n in range(5)), "n0", "n1", "well"):
        (folder / f"{name}.wav").write_text(name)
    summary = runs.run(folder, tmp_path / "out", bad)
    assert summary.statuses["quarantined"] == 13
    return folder, tmp_path / "out"


def bad(path):
    name = Path(path).name
    if name == "well.wav":
        return {}
    return {"status": OutcomeStatus.QUARANTINED, "tier": None, "reason": name, **GROUPS[name[0]]}


def names(letter, number):
    return [f"{letter}{n}.wav" for n in range(number)]


@pytest.mark.parametrize(
    ("which", "done"),
    [
        (["all"], names("d", 6) + names("i", 5) + names("n", 2)),
        (["class:data"], names("d", 6)),
        (["group:v1:d0"], names("d", 6)),
        (["group:d"], names("d", 6)),
        (["group:1", "class:data"], names("d", 6) + names("i", 5)),
        (["group:ff"], []),
        (["class:bug"], []),
        (["class:bug", "all"], names("d", 6) + names("i", 5) + names("n", 2)),
    ],
    ids=str,
)
def test_what_is_selected_is_tried_again_and_nothing_else(runs, quarantine, which, done):
    folder, out = quarantine
    summary = runs.run(folder, out, replay=Replay.parse(which))
    assert runs.done == done
    assert summary.statuses["enhanced"] == len(done)
    assert summary.quarantined_earlier == 13 - len(done)
    assert summary.finished_earlier == 1
    assert summary.exit_status == (0 if len(done) == 13 else 1)


def test_canaries_go_first_and_the_others_of_their_group_when_all_did_well(runs, quarantine):
    folder, out = quarantine
    summary = runs.run(
        folder,
        out,
        lambda p: bad(p) if p.endswith("i1.wav") else {},
        replay=Replay.parse(["canary"]),
    )
    canaries = names("d", 3) + names("i", 3) + names("n", 2)
    assert runs.done == [*canaries, "d3.wav", "d4.wav", "d5.wav"]
    assert (summary.statuses["enhanced"], summary.statuses["quarantined"]) == (10, 1)
    assert summary.quarantined_earlier == 2
    assert any("v1:d0: the canaries did well, 3 others follow" in text for text in runs.notes.texts)
    assert any("1 of 3 canaries failed again; 2 others stay" in text for text in runs.notes.texts)
    assert runs.run(folder, out, replay=Replay.parse(["all"])).exit_status == 0
    assert sorted(runs.done) == ["i1.wav", "i3.wav", "i4.wav"]


def test_canaries_of_a_selection(runs, quarantine):
    folder, out = quarantine
    runs.run(folder, out, replay=Replay.parse(["canary", "class:data"]))
    assert runs.done == names("d", 6)


def test_the_canaries_of_a_run_that_is_cut_short_have_let_nobody_out(runs, quarantine):
    folder, out = quarantine

    def kill(path):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        runs.run(folder, out, kill, replay=Replay.parse(["canary"]))
    assert runs.run(folder, out).quarantined_earlier == 13


def test_a_replay_also_does_what_was_left(runs, quarantine):
    folder, out = quarantine
    (folder / "new.wav").write_text("new")
    summary = runs.run(folder, out, replay=Replay.parse(["class:data"]))
    assert runs.done == [*names("d", 6), "new.wav"]
    assert summary.statuses["enhanced"] == 7


@pytest.mark.parametrize("text", ["", "some", "class:", "class:fate", "group:", "canaries"])
def test_what_is_no_selection_says_what_is(text):
    with pytest.raises(ConfigurationError, match="canary, group:ID"):
        Replay.parse([text])


def test_without_a_word_of_it_nothing_is_replayed():
    assert Replay.parse([]) is None
