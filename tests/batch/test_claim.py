"""One run at a time has an output folder, and it knows what the one before left."""

from __future__ import annotations

import multiprocessing

import pytest

from tenuto.batch.claim import CLAIM_NAME, claim
from tenuto.errors import ConfigurationError


def hold(folder, ready, done):
    with claim(folder) as claimed:
        claimed.begin()
        ready.set()
        done.wait(30)


def test_a_second_run_is_refused(tmp_path):
    with claim(tmp_path), pytest.raises(ConfigurationError, match="another run"), claim(tmp_path):
        pass


def test_a_run_in_another_process_is_refused_until_that_one_ends(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    ready, done = spawn.Event(), spawn.Event()
    other = spawn.Process(target=hold, args=(tmp_path, ready, done))
    other.start()
    try:
        assert ready.wait(60)
        with pytest.raises(ConfigurationError, match="another run"), claim(tmp_path):
            pass
        other.kill()
        other.join()
        with claim(tmp_path) as claimed:
            assert claimed.cut_short
    finally:
        other.kill()
        other.join()


def test_a_run_that_ends_in_order_leaves_nothing(tmp_path):
    folder = tmp_path / "new" / "out"
    with claim(folder) as claimed:
        assert not claimed.cut_short
        claimed.release()
    assert list(folder.iterdir()) == []


def test_drafts_of_a_run_that_was_cut_short_are_removed(tmp_path):
    (tmp_path / CLAIM_NAME).write_text("at work")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".tenuto-123-abcd.part").touch()
    (tmp_path / "deep" / "a.wav").touch()
    with claim(tmp_path) as claimed:
        assert claimed.cut_short
        assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "a.wav"]


def test_drafts_of_another_run_further_down_are_left_to_it(tmp_path):
    (tmp_path / CLAIM_NAME).write_text("at work")
    with claim(tmp_path / "deep") as other:
        other.begin()
        draft = tmp_path / "deep" / ".tenuto-123-abcd.part"
        draft.touch()
        with claim(tmp_path):
            assert draft.exists()


def test_a_folder_that_cannot_be_made_is_a_matter_of_configuration(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigurationError, match="the output folder"),
        claim(tmp_path / "file" / "out"),
    ):
        pass


def test_a_file_system_without_locks_will_do(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with claim(tmp_path) as claimed:
        assert not claimed.cut_short


def test_a_folder_that_is_gone_or_another_is_not_held_any_more(tmp_path):
    folder = tmp_path / "out"
    with claim(folder) as claimed:
        assert claimed.holds()
        folder.rename(tmp_path / "elsewhere")
        assert not claimed.holds()
        folder.mkdir()
        (folder / CLAIM_NAME).touch()
        assert not claimed.holds()


def refuse(folder, *, begun=False):
    with claim(folder, makes=(".ours", "lines")) as claimed:
        (folder / ".ours").mkdir(exist_ok=True)
        (folder / ".ours" / "ledger").touch()
        (folder / "lines").touch()
        if begun:
            claimed.begin()
        raise ConfigurationError("this", "no use")


def test_a_run_that_is_refused_leaves_no_trace(tmp_path):
    with pytest.raises(ConfigurationError, match="no use"):
        refuse(tmp_path / "new" / "out")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "lines").write_text("of an earlier run")
    (tmp_path / "a.wav").touch()
    with pytest.raises(ConfigurationError, match="no use"):
        refuse(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "lines"]


def test_of_one_that_has_begun_its_work_everything_stays(tmp_path):
    with pytest.raises(ConfigurationError, match="no use"):
        refuse(tmp_path / "out", begun=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        ".ours",
        CLAIM_NAME,
        "lines",
    ]
