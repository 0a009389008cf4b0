"""What a run says of itself as it goes on, where there is no terminal."""

from __future__ import annotations

import io
import json
import re

import pytest
from rich.console import Console

from tenuto.batch import Item, Plan, Summary
from tenuto.batch.plan import Again
from tenuto.cli.progress import Reporter, outcome_line
from tenuto.cli.progress_json import JsonReporter
from tenuto.cli.terminal import UNBOUNDED
from tenuto.journal import Outcome, OutcomeStatus


@pytest.fixture
def said():
    """A reporter, and what it has said since it was last asked."""
    stream = io.StringIO()
    console = Console(file=stream, width=100, highlight=False, markup=False, soft_wrap=True)
    with Reporter(console, 0) as reporter:

        def ask(call, *arguments):
            stream.truncate(stream.seek(0))
            getattr(reporter, call)(*arguments)
            return stream.getvalue().splitlines()

        yield ask


def test_it_begins_with_what_there_is_to_do_and_what_is_not(said):
    plan = Plan("/out", inputs=1_234_567, finished=1_000_000, quarantined=12, ignored=3, repeated=1)
    plan.without_input = 1
    plan.again[Again.CHANGED] = 4_321
    plan.renamed, plan.renamed_first = 5, [Item("/in/a.flac", "/out/a.flac.wav")]
    plan.bad_rows, plan.bad_rows_first = 22, ["list.csv, line 7: no path"]
    summary = Summary(inputs=1_234_567, finished_earlier=1_000_000, quarantined_earlier=12)
    assert said("began", plan, summary) == [
        "1,234,567 recordings into /out",
        "1,000,000 finished earlier, and left alone",
        "1 of these are kept although their input is gone",
        "12 in quarantine, and left there",
        "3 ignored: not called like sound, or written by an earlier run",
        "1 named more than once, and done once",
        "4,321 done again: the input has changed",
        "/in/a.flac becomes /out/a.flac.wav",
        "… and 4 more under another name",
        "list.csv, line 7: no path",
        "… and 21 more rows were left out",
    ]


def test_a_search_that_was_interrupted_is_not_taken_for_a_whole_one(said):
    lines = said("began", Plan("/out", inputs=3, complete=False), Summary(3, 0))
    assert lines[1:] == ["the search was interrupted: there may be more"]


def test_a_line_now_and_then_has_the_pace_the_tiers_and_what_is_left(said):
    summary = Summary(inputs=100, finished_earlier=10)
    for status, tier in (
        *[(OutcomeStatus.ENHANCED, "high_quality")] * 20,
        *[(OutcomeStatus.ENHANCED, "basic")] * 6,
        *[(OutcomeStatus.DEGRADED, "original")] * 3,
        (OutcomeStatus.QUARANTINED, None),
    ):
        summary.add(Outcome(input="/a", output=None, status=status, tier=tier, audio_seconds=240))
    summary.seconds = 60.0
    (line,) = said("ticked", summary)
    assert line.split(" · ") == [
        "40 of 100  2:00:00 of sound at 120.0 × real time, 2:00 left",  # noqa: RUF001
        "20 high_quality",
        "6 basic",
        "3 degraded",
        "1 quarantined",
    ]
    summary.seconds = 65.0
    assert said("ticked", summary) == []
    summary.seconds = 71.0
    assert len(said("ticked", summary)) == 1


@pytest.mark.parametrize("width", [50, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("inputs", [40, 10_000_000])
def test_on_a_terminal_of_any_width_the_bar_has_the_count_and_the_quarantined(
    monkeypatch, width, inputs
):
    monkeypatch.setenv("TERM", "xterm")
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, soft_wrap=True)
    summary = Summary(inputs=inputs, finished_earlier=0)
    for status, tier in (
        *[(OutcomeStatus.ENHANCED, "high_quality")] * 14,
        *[(OutcomeStatus.ENHANCED, "medium_quality")] * 3,
        (OutcomeStatus.DEGRADED, "original"),
        *[(OutcomeStatus.QUARANTINED, None)] * 2,
    ):
        summary.add(Outcome(input="/a", output=None, status=status, tier=tier, audio_seconds=60))
    summary.seconds = 60.0
    with Reporter(console, 0) as reporter:
        reporter.began(Plan("/out", inputs=inputs), summary)
        reporter.ticked(summary)
        reporter._bar.refresh()
        shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    line = re.split(r"[\r\n]+", shown)[-1]
    assert len(line) <= width
    assert f"20/{inputs} " in line
    assert "━━━" in line
    assert "2 quarantined" in line
    assert "…" not in line
    if width >= 80:
        assert "1 degraded" in line
    if width >= 120 and inputs == 40:
        assert "20.0 × real time" in line  # noqa: RUF001
        assert "14 high" in line


@pytest.mark.parametrize("width", [80, UNBOUNDED])
def test_a_reason_is_told_to_its_end_where_the_advice_is(width):
    reason = "is damaged: " + "most of its samples are not numbers; " * 4 + "make the file again"
    name = "/in/" + "deep/" * 20 + "a.wav"
    outcome = Outcome(input=name, output=None, status=OutcomeStatus.QUARANTINED, reason=reason)
    lines = outcome_line(outcome, width).plain.splitlines()
    assert " ".join(line.strip() for line in lines).endswith(reason)
    assert all(line == line.rstrip() and len(line) <= width for line in lines)
    if width == UNBOUNDED:
        assert lines == [f"{name}  {'quarantined':14}  {reason}"]


def test_a_line_does_not_end_with_blanks():
    for status in OutcomeStatus:
        outcome = Outcome(input="/a", output=None, status=status, tier="basic")
        line = outcome_line(outcome, 100).plain
        assert line == line.rstrip()


def test_other_programs_are_told_now_and_then_how_far_it_has_got():
    stream = io.StringIO()
    reporter = JsonReporter(stream, 0)
    summary = Summary(inputs=100, finished_earlier=10)
    for seconds in (5.0, 12.0, 17.0, 21.0):
        summary.add(
            Outcome(input="/a", output=None, status=OutcomeStatus.QUARANTINED, audio_seconds=60)
        )
        summary.seconds = seconds
        reporter.ticked(summary)
    reporter.noted("Waiting:\x1b[31m there is little room")
    at_12, note = map(json.loads, stream.getvalue().splitlines())
    assert (at_12["event"], at_12["quarantined"], at_12["left"]) == ("progress", 2, 88)
    assert at_12["seconds_left"] == pytest.approx(88 * 12 / 2)
    assert at_12["times_real_time"] == 10.0
    assert note == {"event": "note", "text": "Waiting:\x1b[31m there is little room"}
    assert "\x1b" not in stream.getvalue()


def test_quiet_leaves_only_the_notes_to_other_programs():
    stream = io.StringIO()
    reporter = JsonReporter(stream, -1)
    reporter.began(Plan("/out", inputs=3), Summary(3, 0))
    summary = Summary(3, 0, seconds=30.0)
    reporter.ticked(summary)
    reporter.ended(Outcome(input="/a", output=None, status=OutcomeStatus.QUARANTINED), summary)
    reporter.noted("Stopping")
    assert json.loads(stream.getvalue())["event"] == "note"


def test_a_run_that_waits_says_what_for(said):
    summary = Summary(inputs=100, finished_earlier=10, seconds=20.0)
    summary.waiting = "decode: [red]no such drive\x1b[31m"
    (line,) = said("ticked", summary)
    assert line == "10 of 100  waiting: decode: [red]no such drive\\x1b[31m"
    stream = io.StringIO()
    JsonReporter(stream, 0).ticked(summary)
    assert json.loads(stream.getvalue())["waiting"] == summary.waiting
