"""A trial finds out whether there is any use in going on, and leaves nothing behind."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tenuto.batch import Item
from tenuto.batch.executors import Answer, Task
from tenuto.batch.worker import WorkerSettings, _Work
from tenuto.journal import open_journal
from tenuto.reporting.pump import PUMP

from .conftest import record

pytestmark = pytest.mark.usefixtures("plugin")


def open_files():
    return len(list(Path("/dev/fd").iterdir()))


def test_a_trial_leaves_no_file_open_and_no_folder_behind(tmp_path, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    source = record(tmp_path / "a.wav", seconds=0.2)
    bad = tmp_path / "bad.wav"
    bad.write_text("words, words, words")

    class Watchdog:
        def watch(self, *_):
            pass

        watch_start = watch

    with open_journal(tmp_path / "journal") as journal:
        work = _Work(WorkerSettings(("steady",), meter="none"), journal, Watchdog(), lambda _: None)
        for number, path in enumerate((source, bad, bad, source)):
            output = str(tmp_path / "out" / "trial.part")
            answer = work.on(Task(Item(str(path), output), trial=True))
            assert isinstance(answer, Answer)
            PUMP.turn()  # which it does in the background every second
            assert list(temporary.iterdir()) == []
            if number == 0:
                before = open_files()
        assert open_files() <= before
