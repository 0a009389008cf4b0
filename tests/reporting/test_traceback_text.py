"""What Python would have printed."""

from __future__ import annotations

import os
import traceback

import pytest

from tenuto.capture import capture
from tenuto.clock import SimulatedClock
from tenuto.reporting.traceback_text import traceback_text

SOURCE = """\
def decode(path):
    raise OSError(5, "no medium")

def run(path):
    try:
        decode(path)
    except OSError as error:
        error.add_note("drive 2")
        raise ValueError("bad header") from error
"""


@pytest.fixture
def error(tmp_path):
    file = tmp_path / "made_up.py"
    file.write_text(SOURCE)
    os.utime(file, (1000, 1000))
    space = {"__name__": "made_up"}
    exec(compile(SOURCE, str(file), "exec"), space)
    try:
        space["run"]("a.wav")
    except ValueError as caught:
        return caught.with_traceback(caught.__traceback__.tb_next)


def test_it_is_what_python_prints(error):
    told = traceback_text(capture(error, clock=SimulatedClock(2000.0)).to_dict())
    printed = "".join(traceback.format_exception(error))
    without_marks = [line for line in printed.splitlines() if line.strip("^ ")]
    assert [line for line in told.splitlines() if line] == without_marks
    assert 'raise OSError(5, "no medium")' in told


def test_code_that_was_changed_or_is_of_elsewhere_is_not_shown(error):
    old = capture(error, clock=SimulatedClock(500.0)).to_dict()
    elsewhere = {**capture(error, clock=SimulatedClock(2000.0)).to_dict(), "host": "another"}
    for body in (old, elsewhere):
        told = traceback_text(body)
        assert "made_up.py" in told
        assert 'no medium"' not in told


def test_members_of_a_group_follow_it():
    told = traceback_text(
        capture(ExceptionGroup("both", [ValueError("a"), KeyError("b")])).to_dict()
    )
    assert told.splitlines() == [
        "ExceptionGroup: both (2 sub-exceptions)",
        *("", "Member of the group:", "", "ValueError: a"),
        *("", "Member of the group:", "", "KeyError: 'b'"),
    ]
