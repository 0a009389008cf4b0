"""Disks that get full, folders that vanish, and what else happens to a run from outside."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from tenuto.batch.ledger.asking import Outcomes, Question
from tenuto.batch.room import Room
from tenuto.errors import ConfigurationError
from tenuto.journal import OutcomeStatus

from .conftest import ledger_of

GB = 1_000_000_000


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.wav").write_text(str(number))
    return folder


def disk(free=5 * GB, size=100 * GB, files=1_000_000, free_files=500_000):
    return SimpleNamespace(
        f_frsize=4096,
        f_blocks=size // 4096,
        f_bavail=free // 4096,
        f_files=files,
        f_favail=free_files,
    )


def test_room_is_short_below_the_reserve_until_there_is_somewhat_more():
    now = SimpleNamespace(disk=disk(2 * GB))
    room = Room("/out", GB, lambda _: now.disk)
    assert room.shortage() is None
    now.disk = disk(GB - 8192)
    assert "only 1,000 MB are free" in room.shortage()
    now.disk = disk(GB + 8192)
    assert room.shortage() is not None
    now.disk = disk(GB * 13 // 10)
    assert room.shortage() is None


@pytest.mark.parametrize(
    ("found", "short"),
    [
        (disk(1 * GB - 8192), True),
        (disk(1 * GB + 8192), False),
        (disk(60_000_000, size=GB), False),  # a twentieth of a small disk is enough
        (disk(40_000_000, size=GB), True),
        (disk(0, size=0), False),  # no such thing as a size
        (disk(free_files=99), True),
        (disk(files=0, free_files=0), False),  # no fixed number of files
    ],
)
def test_how_much_stays_free_where_nothing_is_said(found, short):
    assert (Room("/out", look=lambda _: found).shortage() is not None) is short


def test_a_file_system_that_does_not_tell_is_taken_to_have_room():
    def silent(_):
        raise OSError(95, "Operation not supported")

    assert Room("/out", look=silent).shortage() is None


def test_a_run_waits_while_the_disk_is_nearly_full_and_goes_on_when_there_is_room(
    runs, source, tmp_path, monkeypatch
):
    free = {"bytes": 5 * GB}
    monkeypatch.setattr(Room.__init__, "__defaults__", (None, lambda _: disk(free["bytes"])))
    waited, reasons = [], []

    def watch(notes):
        def ended(outcome):
            if len(notes.outcomes) == 3:
                free["bytes"] = GB // 2

        def ticked(summary):
            reasons.append(summary.waiting)
            if free["bytes"] < GB:
                waited.append(summary.ended)
            if len(waited) == 10:
                free["bytes"] = 5 * GB

        notes.on_end, notes.on_tick = ended, ticked

    summary = runs.run(source, tmp_path / "out", watch=watch)
    assert (summary.statuses["enhanced"], summary.exit_status) == (6, 0)
    assert waited[-1] == waited[3] < 6  # what was in hand was finished, and nothing begun
    told = [text for text in runs.notes.texts if "room" in text or "free" in text]
    assert len(told) == 2
    assert "goes on by itself" in told[0]
    assert told[1] == "There is room again."
    assert (reasons[0], reasons[-1]) == (None, None)
    assert any(reason and "free on the disk" in reason for reason in reasons)


def test_a_full_disk_is_no_matter_where_nothing_is_left_to_do(runs, source, tmp_path, monkeypatch):
    runs.run(source, tmp_path / "out")
    monkeypatch.setattr(Room.__init__, "__defaults__", (None, lambda _: disk(0)))
    assert runs.run(source, tmp_path / "out").finished_earlier == 6


def test_a_run_whose_output_folder_vanishes_stops_and_the_next_has_lost_nothing(
    runs, source, tmp_path
):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"

    def watch(notes):
        notes.on_end = lambda outcome: len(notes.outcomes) == 2 and out.rename(elsewhere)

    summary = runs.run(source, out, watch=watch)
    assert summary.exit_status == 2
    assert "has vanished" in summary.stopped
    assert runs.workers.killed
    assert (summary.ended, summary.left) == (2, 4)
    shutil.rmtree(out, ignore_errors=True)  # what was in hand may have made it anew
    elsewhere.rename(out)
    summary = runs.run(source, out)
    assert (summary.finished_earlier, summary.ended, summary.exit_status) == (2, 4, 0)
    assert len(ledger_of(out)) == 6


@contextmanager
def a_disk(folder, options):
    """A disk of its own, mounted at ``folder``."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tenuto-test", folder]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_an_output_folder_that_is_read_only_is_told_before_the_work_begins(runs, source, tmp_path):
    with (
        a_disk(tmp_path / "out", "ro,size=1m") as out,
        pytest.raises(ConfigurationError, match="Read-only"),
    ):
        runs.run(source, out)


def test_outcomes_can_be_asked_for_where_nothing_can_be_written(runs, source, tmp_path):
    with a_disk(tmp_path / "out", "size=9m") as out:
        runs.run(source, out, reserve=0)
        subprocess.run(["mount", "-o", "remount,ro", out], check=True)
        with Outcomes(str(out)) as outcomes:
            assert outcomes.count(Question()) == 6


def test_an_input_that_changes_while_it_is_read_is_done_by_the_next_run(runs, source, tmp_path):
    changing = source / "3.wav"

    def judge(path):
        if path != str(changing):
            return {}
        changing.write_text("3, and more of it")
        reason = "changed while it was read"
        return {"status": OutcomeStatus.QUARANTINED, "tier": None, "reason": reason}

    assert runs.run(source, tmp_path / "out", judge).exit_status == 1
    summary = runs.run(source, tmp_path / "out")
    assert (runs.done, summary.exit_status) == (["3.wav"], 0)


def test_hard_links_are_inputs_of_their_own_with_the_same_content(runs, source, tmp_path):
    os.link(source / "0.wav", source / "twin.wav")
    runs.run(source, tmp_path / "out")
    found = ledger_of(tmp_path / "out")
    assert found["0.wav"]["content"] == found["twin.wav"]["content"]
    assert found["0.wav"]["output"] != found["twin.wav"]["output"]


def test_the_output_may_lie_among_the_inputs(runs, source):
    out = source / "enhanced"
    assert runs.run(source, out).ended == 6
    assert runs.run(source, out).finished_earlier == 6
    with pytest.raises(ConfigurationError, match="would replace an input"):
        runs.run([source / "enhanced" / "new.wav"], out)


def test_a_file_that_no_run_has_written_is_not_replaced(runs, source, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "1.wav").write_text("precious")
    for _ in range(2):  # however often it is asked
        with pytest.raises(ConfigurationError, match=r"1\.wav exists and is not in outcomes"):
            runs.run(source, out)
    assert (out / "1.wav").read_text() == "precious"
    assert runs.run(source, out, overwrite=True).ended == 6
