from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from rich.cells import cell_len

from tenuto import ErrorReporter, open_journal
from tenuto.capture import ATTEMPTS, capture
from tenuto.clock import SimulatedClock
from tenuto.errors import AudioProcessingError, DecodeError
from tenuto.journal import Attempt, AttemptEnd, Foreign, Outcome, OutcomeStatus, Transition


@pytest.fixture
def journal(tenuto, private_journal):
    """Three errors of one kind and one of another, with context and a cause."""
    with open_journal(private_journal) as journal:
        reporter = ErrorReporter("service", journal=journal, log=False)
        for number in range(3):
            reporter.report(DecodeError(f"a{number}.wav", "is torn\x1b[2J"), {"take": number})
        try:
            try:
                raise OSError(5, "[red]disk[/red]")
            except OSError as cause:
                raise AudioProcessingError("no <b>sound</b>") from cause
        except AudioProcessingError as error:
            reporter.report(error, {"audio": "x" * 10_000, "password": "hunter2"})
    return private_journal


def test_an_empty_journal_says_so(tenuto):
    ended = tenuto("errors")
    assert ended.exit_code == 0
    assert ended.stdout.startswith("No errors in ")
    assert json.loads(tenuto("errors", "--json").stdout) == []


def test_groups_have_their_counts_most_frequent_first(tenuto, journal):
    groups = json.loads(tenuto("errors", "--json").stdout)
    assert [group["count"] for group in groups] == [3, 1]
    shown = tenuto("errors").stdout
    assert shown.index("DecodeError") < shown.index("AudioProcessingError")
    assert "4 errors in 2 groups" in shown
    assert "\x1b" not in shown
    assert all(len(line) <= 100 for line in shown.splitlines())


def test_each_group_has_a_trend_and_a_bar_for_each_hour(tenuto, journal):
    first, second = json.loads(tenuto("errors", "--json").stdout)
    assert (first["trend"], second["trend"]) == ("new", "new")
    assert first["hours"] == [0] * 23 + [3]
    lines = tenuto("errors").stdout.splitlines()
    assert lines[1] == "     new     " + "·" * 23 + "█  last just now, first just now"
    assert first["where"] == ""
    assert lines[2] == f"     {first['fingerprint'][:11]}"  # and no blanks in place of a place
    assert "4 errors in 2 groups, as of 2" in lines[-2]


def test_bars_are_on_the_scale_of_their_group_and_only_nothing_looks_like_nothing(
    tenuto, private_journal
):
    clock = SimulatedClock(start=time.time() - 20 * 3600)
    with open_journal(private_journal, clock=clock) as kept:
        for times in (1, 1000, 500):
            for _ in range(times):
                seen = capture(ValueError("x"), clock=clock)
                if kept.fold(seen.fingerprint, {}) is None:
                    kept.append(seen)
            clock.advance(3600)
    (group,) = json.loads(tenuto("errors", "--json").stdout)
    assert [number for number in group["hours"] if number] == [1, 1000, 500]
    assert group["trend"] == "quiet"
    lines = tenuto("errors").stdout.splitlines()
    assert "▁█▄" in lines[1]
    assert lines[1].endswith("last 18 h ago, first 20 h ago")


def test_what_was_not_seen_lately_is_left_out_when_asked_for(tenuto, private_journal):
    with open_journal(private_journal, clock=SimulatedClock(start=time.time() - 7200)) as kept:
        kept.append(capture(ValueError("old"), clock=kept.clock))
    with open_journal(private_journal) as kept:
        kept.append(capture(TypeError("young")))
    assert len(json.loads(tenuto("errors", "--since", "3h", "--json").stdout)) == 2
    (group,) = json.loads(tenuto("errors", "--since", "90m", "--json").stdout)
    assert group["type"] == "TypeError"
    assert "1 error in 1 group" in tenuto("errors", "--since", "1h").stdout
    assert "No errors in that time in " in tenuto("errors", "--since", "0s").stdout


def test_a_time_that_is_none_is_refused(tenuto):
    ended = tenuto("errors", "--since", "yesterday")
    assert ended.exit_code == 2
    assert "write 30m, 12h or 2d" in ended.stderr


def test_groups_fit_80_columns_without_colour_whatever_their_names(
    tenuto, private_journal, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    clock = SimulatedClock(start=time.time() - 89 * 86_400)
    with open_journal(private_journal, clock=clock) as kept:
        event = capture(ValueError("\x1b[2J\u202e\n[bold]" + "音" * 100), clock=clock)
        kept.append(event)
        many = {
            **event.to_dict(),
            "event_id": event.id,
            "count": 1_234_566,
            "revision": 1,
            "first": event.time,
            "last": event.time,
            "contexts": [],
        }
        kept.collect([Foreign("far", 1, "process", "slice", many)])
    shown = tenuto("errors").stdout
    assert "\x1b[2J" not in shown
    assert "\x1b[3" not in shown  # a colour; bold and dim are none
    lines = [re.sub(r"\x1b\[\d*m", "", line) for line in shown.splitlines()]
    assert all(cell_len(line) <= 80 for line in lines)
    assert lines[0].startswith(" 1,234,567 × data")  # noqa: RUF001


def test_a_terminal_that_knows_few_letters_gets_those(journal):
    command = [sys.executable, "-m", "tenuto", "errors"]
    told = subprocess.run(
        command,
        capture_output=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "TENUTO_JOURNAL": str(journal)},
    )
    assert ("." * 23 + "8").encode() in told.stdout


def test_one_error_is_told_in_full_with_chain_frames_and_context(tenuto, journal):
    latest = json.loads(tenuto("errors", "--json").stdout)[1]["latest"]
    ended = tenuto("errors", "show", latest)
    assert ended.exit_code == 0
    assert "no <b>sound</b>" in ended.stdout
    assert "[red]disk[/red]" in ended.stdout
    assert "Traceback" in ended.stdout
    assert "test_errors_command.py" in ended.stdout
    assert "hunter2" not in ended.stdout
    assert json.loads(tenuto("errors", "show", latest, "--json").stdout)["id"] == latest


@pytest.fixture
def story(tenuto, private_journal):
    """An input that failed at a first step and was done by a second, while a circuit opened."""
    with open_journal(private_journal) as kept:
        kept.record(Transition(policy="hub", before="closed", after="open", reason="timeout"))
        reporter = ErrorReporter("speech", journal=kept, log=False)
        error = ConnectionError("no answer")
        tries = [
            {"number": 1, "fault_class": "infrastructure", "wait": 0.5, "duration": None},
            {"number": 2, "fault_class": None, "wait": None, "duration": 2.25},
            "nonsense",
        ]
        error.__dict__[ATTEMPTS] = tries
        event = reporter.report(error, {"input": "in/a.wav"})
        for step, ended, error_id in (
            ("high_quality", AttemptEnd.FAILED, event.id),
            ("basic", AttemptEnd.SUCCEEDED, None),
        ):
            attempt = kept.open_attempt(Attempt(work="in/a.wav", step=step))
            kept.close_attempt(attempt, ended, error_id, duration=1.5)
        kept.open_attempt(Attempt(work="in/b.wav", step="high_quality"))
        return kept, event


def test_what_was_tried_before_and_after_is_told_with_the_outcome(tenuto, story):
    kept, event = story
    kept.record(
        Outcome(
            input="in/a.wav",
            output="out/a.wav",
            status=OutcomeStatus.DEGRADED,
            tier="basic",
            errors=(event.id,),
            reason="the hub is down",
        )
    )
    shown = tenuto("errors", "show", event.id).stdout
    attempts = shown.partition("\nAttempts\n")[2].partition("\n\n")[0].splitlines()
    assert attempts == [
        "  1  infrastructure, then waited 0.5 s",
        "  2  unacceptable result after 2.25 s",
        "  nonsense",
    ]
    tries = shown.partition("\nTries at its input\n")[2].partition("\n\n")[0].splitlines()
    assert [line[23:] for line in tries] == [
        f"high_quality failed after 1.5 s: {event.id}, this one",
        "basic succeeded after 1.5 s",
    ]
    assert "Outcome   in/a.wav was degraded by basic: the hub is down\n" in shown
    policies = shown.partition("\nPolicies around it\n")[2].partition("\n\n")[0]
    assert policies.endswith("s before  hub: closed → open, timeout")
    told = json.loads(tenuto("errors", "show", event.id, "--json").stdout)
    assert told["outcome"]["tier"] == "basic"
    assert [each["step"] for each in told["tries"]] == ["high_quality", "basic"]
    assert [each["policy"] for each in told["transitions"]] == ["hub"]
    assert told["repeats"] == 0


def test_tries_are_known_before_there_is_an_outcome(tenuto, story):
    _, event = story
    shown = tenuto("errors", "show", event.id).stdout
    assert "Outcome" not in shown
    assert "basic succeeded" in shown


def test_changes_of_policies_at_other_times_are_not_told(tenuto, story, private_journal):
    kept, event = story
    for away in (-301, 301, 299):
        change = Transition(policy="far", before="a", after=f"b{away}", time=event.time + away)
        kept.record(change)
    shown = tenuto("errors", "show", event.id).stdout
    assert "299.0 s after  far: a → b299" in shown
    assert shown.count("far:") == 1


def test_a_repeat_is_told_as_the_error_it_was_counted_with(tenuto, private_journal):
    with open_journal(private_journal) as kept:
        reporter = ErrorReporter(journal=kept, log=False)
        for _ in range(40):
            try:
                raise ValueError("again")
            except ValueError as error:
                event = reporter.report(error)
        kept.record(
            Outcome(input="b", output=None, status=OutcomeStatus.QUARANTINED, errors=(event.id,))
        )
    shown = tenuto("errors", "show", event.id).stdout
    number = event.id.rpartition("-")[2]
    assert f"Asked for repeat {number} of it, which was only counted\n" in shown
    assert f"Repeats   {number} more like it were only counted\n" in shown
    assert "Outcome   b was quarantined\n" in shown
    assert "Outcome" not in tenuto("errors", "show", event.id.partition("-")[0]).stdout


def test_a_group_of_errors_is_told_member_by_member(tenuto, private_journal):
    try:
        parts = []
        for name in "ab":
            try:
                try:
                    {}[name]
                except KeyError as cause:
                    raise ValueError(f"part {name}") from cause
            except ValueError as error:
                parts.append(error)
        parts.append(ExceptionGroup("inner", [TypeError("deep")]))
        raise ExceptionGroup("all", parts)
    except ExceptionGroup as error:
        error.add_note("a note\nof two lines")
        with open_journal(private_journal) as kept:
            kept.append(capture(error))
    shown = tenuto("errors", "show", "v1:").stdout
    lines = [line for line in shown.splitlines() if line.lstrip().startswith(("Member", "Caused"))]
    assert lines == [
        "  Member ValueError: part a",
        "  Caused by KeyError: 'a'",
        "  Member ValueError: part b",
        "  Caused by KeyError: 'b'",
        "  Member ExceptionGroup: inner (1 sub-exception)",
        "    Member TypeError: deep",
    ]
    assert "\n  a note\n  of two lines\n" in shown


def test_the_lines_that_ran_are_shown_where_they_are_here(tenuto, private_journal):
    with open_journal(private_journal) as kept:
        try:
            raise ValueError("here")
        except ValueError as error:
            event = capture(error)
            kept.append(event)
            kept.append(replace(event, id="other", host="elsewhere", trace_id="ab"))
    assert 'raise ValueError("here")' in tenuto("errors", "show", event.id).stdout
    shown = tenuto("errors", "show", "other").stdout
    assert "raise ValueError" not in shown
    assert "Trace     ab, span unknown\n" in shown


def test_a_group_is_shown_by_the_beginning_of_its_fingerprint(tenuto, journal):
    group = json.loads(tenuto("errors", "--json").stdout)[0]
    ended = tenuto("errors", "show", group["fingerprint"][:11])
    assert ended.exit_code == 0
    assert "is torn" in ended.stdout
    assert "\x1b" not in ended.stdout


def test_the_beginning_of_an_id_will_do_as_long_as_only_one_begins_so(tenuto, private_journal):
    with open_journal(private_journal) as kept:
        for number, fingerprint in enumerate(("v1:9e2a", "v1:9e2b", "v1:77aa")):
            event = capture(ValueError(f"error {number}"))
            kept.append(replace(event, id=f"ab{number}{number}", fingerprint=fingerprint))
    for which, number in (("v1:9e2a", 0), ("9e2b", 1), ("77", 2), ("v1:7", 2), ("ab1", 1)):
        shown = tenuto("errors", "show", which)
        assert shown.exit_code == 0, shown.output
        assert f"ValueError: error {number}" in shown.stdout
    for which, told in (("9e2", "2 groups"), ("v1:", "3 groups"), ("ab", "3 errors")):
        shown = tenuto("errors", "show", which)
        assert shown.exit_code == 2
        assert f"{told} begin with '{which}'; give more of it" in shown.stderr


def test_nothing_is_cut_in_a_pipe(tenuto, private_journal, monkeypatch):
    monkeypatch.delenv("COLUMNS")
    with open_journal(private_journal) as kept:
        kept.append(capture(ValueError("x" * 200 + "; do this about it")))
    assert "; do this about it\n" in tenuto("errors").stdout


READING = [
    ("errors",),
    ("errors", "show", "v1:"),
    ("readers",),
    ("metrics",),
    ("forward", "--sentry", "https://key@sentry.example/1"),
    ("journal", "check"),
    ("journal", "prune"),
    ("journal", "export"),
]


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_journal_that_is_none_is_refused_and_not_made(tenuto, tmp_path, command):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.wav").touch()
    for named in ("typo", "in", "in/a.wav"):
        ended = tenuto(*command, "--journal", named)
        assert ended.exit_code == 2, ended.output
        assert f"{named}" in ended.stderr
        assert "name" in ended.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "site"]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["a.wav"]


@pytest.mark.parametrize("command", READING[:-1], ids=" ".join)
def test_a_default_journal_that_cannot_be_is_not_taken_for_an_empty_one(
    tenuto, tmp_path, monkeypatch, command
):
    (tmp_path / "file").touch()
    for named in ("file", "file/below"):
        monkeypatch.setenv("TENUTO_JOURNAL", named)
        ended = tenuto(*command)
        assert ended.exit_code == 2
        assert "TENUTO_JOURNAL or --journal" in ended.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("errors", "--journal", ""),
        ("errors", "show", ""),
        ("outcomes", ""),
        ("outcomes", "out", "--parquet", ""),
        ("collect", "redis://hub", "--journal", ""),
        ("policies", "--config", ""),
        ("enhance", "", "-o", "out"),
        ("enhance", "in", "-o", ""),
        ("enhance", "--manifest", "", "-o", "out"),
        ("enhance", "in", "-o", "out", "--journal", ""),
    ],
    ids=str,
)
def test_an_empty_name_is_not_the_current_folder(tenuto, tmp_path, command):
    ended = tenuto(*command)
    assert ended.exit_code == 2
    assert "an empty name" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_an_id_that_is_nowhere_is_answered_with_status_2(tenuto, journal):
    ended = tenuto("errors", "show", "v1:\x1b[2Jnone")
    assert ended.exit_code == 2
    assert "no error and no group v1:\\x1b[2Jnone in " in ended.stderr
    assert "no error and no group \\udcff in " in tenuto("errors", "show", "\udcff").stderr


def test_the_journal_may_be_named_before_and_after_show(tenuto, journal, monkeypatch):
    monkeypatch.delenv("TENUTO_JOURNAL")
    latest = json.loads(tenuto("errors", "--journal", journal, "--json").stdout)[0]["latest"]
    assert tenuto("errors", "--journal", journal, "show", latest).exit_code == 0
    assert tenuto("errors", "show", latest, "--journal", journal).exit_code == 0


def test_without_the_extra_the_command_names_it(monkeypatch, capsys):
    from tenuto.cli import main

    monkeypatch.setitem(sys.modules, "click", None)
    monkeypatch.delitem(sys.modules, "tenuto.cli.app")
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "pip install 'tenuto[cli]'" in capsys.readouterr().err
