"""Source is shown where it is surely what ran, and without secrets."""

from __future__ import annotations

import os
import socket

import pytest

from tenuto.capture import capture
from tenuto.clock import SimulatedClock
from tenuto.reporting.sentry_event import event_of
from tenuto.reporting.source_lines import source_lines

HERE = socket.gethostname()
LINES = """def run(wav):
    api_token = "a1b2c3"
    login(user, password='hunter2', mode="fast")
    url = "https://me:hunter2@host/x"
    return wav
"""


@pytest.fixture
def file(tmp_path):
    """A file that was written at second 1000."""
    path = tmp_path / "module.py"
    path.write_text(LINES)
    os.utime(path, (1000, 1000))
    return path


def test_a_line_comes_with_those_around_it(file):
    found = source_lines(str(file), 1, host=HERE, since=1000, around=1)
    assert found == ((), "def run(wav):", ("    api_token = [redacted]",))
    found = source_lines(str(file), 5, host=HERE, since=2000, around=9)
    assert len(found.before) == 4
    assert (found.line, found.after) == ("    return wav", ())


def test_what_looks_secret_is_not_shown(file):
    shown = str(source_lines(str(file), 3, host=HERE, since=1000, around=9))
    assert "hunter2" not in shown
    assert "a1b2c3" not in shown
    assert "def run" in shown


def test_a_secret_that_is_cut_short_is_not_shown_either(file):
    file.write_text(f"token = '{'s3cr3t' * 100}'\n")
    os.utime(file, (1000, 1000))
    assert "s3cr3t" not in source_lines(str(file), 1, host=HERE, since=1000).line


def test_a_file_that_was_changed_since_is_not_what_ran(file):
    assert source_lines(str(file), 1, host=HERE, since=999) is None
    assert source_lines(str(file), 1, host=HERE, since=1000).line == "def run(wav):"
    file.write_text("import os\n" + LINES)
    os.utime(file, (1500, 1500))
    assert source_lines(str(file), 1, host=HERE, since=1400) is None
    assert source_lines(str(file), 1, host=HERE, since=1500).line == "import os"


@pytest.mark.parametrize("line", [0, -1, 6, 10**9])
def test_a_line_that_is_not_there_is_none(file, line):
    assert source_lines(str(file), line, host=HERE, since=1000) is None


@pytest.mark.parametrize(
    "name",
    ["gone.py", "a\0b.py", "<string>", "<frozen x>.py", "/etc/passwd", "~nobody-here/x.py", ""],
)
def test_what_is_no_source_is_not_read(name):
    assert source_lines(name, 1, host=HERE, since=1e12) is None


def test_a_folder_called_like_source_and_a_huge_file_are_not_read(tmp_path):
    folder = tmp_path / "x.py"
    folder.mkdir()
    assert source_lines(str(folder), 1, host=HERE, since=1e12) is None
    huge = tmp_path / "huge.py"
    huge.write_text("x = 1\n" * 200_000)
    assert source_lines(str(huge), 1, host=HERE, since=1e12) is None


def test_home_is_where_it_is_here(file, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert source_lines("~/module.py", 1, host=HERE, since=1000).line == "def run(wav):"


def test_frames_for_sentry_have_them_and_those_of_other_machines_do_not():
    def fail():
        raise ConnectionError("down")

    try:
        fail()
    except ConnectionError as error:
        body = capture(error, clock=SimulatedClock(start=4e9)).to_dict()  # after this was written
    (error,) = event_of(body)["exception"]["values"]
    frame = error["stacktrace"]["frames"][-1]
    assert frame["context_line"] == '        raise ConnectionError("down")'
    assert frame["pre_context"][-1] == "    def fail():"
    assert len(frame["post_context"]) == 5
    (error,) = event_of({**body, "host": "elsewhere"})["exception"]["values"]
    assert "context_line" not in error["stacktrace"]["frames"][-1]


def test_another_machines_file_of_that_name_is_not_shown(file):
    assert source_lines(str(file), 1, host="elsewhere", since=1000) is None


def test_nobody_waits_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    assert source_lines(str(tmp_path / "pipe.py"), 1, host=HERE, since=1e12) is None
