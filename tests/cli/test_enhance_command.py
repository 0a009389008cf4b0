from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
import soundfile

from tenuto.cli.values import SIZE
from tenuto.journal import open_journal
from tests.batch.conftest import ledger_of, record
from tests.cli.conftest import FAST

KEYS = [
    "input",
    "output",
    "status",
    "tier",
    "quality_before",
    "quality_after",
    "seconds",
    "audio_seconds",
    "errors",
    "reason",
    "engine",
    "attempts",
    "fault_class",
    "group",
    "content",
    "size",
    "modified_ns",
    "parameters",
]


def test_a_folder_is_enhanced_and_its_summary_adds_up(tenuto, recordings):
    ended = tenuto("enhance", "in", "-o", "out", *FAST)
    assert ended.exit_code == 0
    assert "3 recordings into out" in ended.stderr
    assert "1 ignored: not called like sound" in ended.stderr
    assert "3  enhanced             3 steady" in ended.stdout
    assert "3  in all" in ended.stdout
    assert "tenuto outcomes out  how many recordings ended how" in ended.stdout
    assert Path("out/deep/c.wav").is_file()


def test_each_line_of_the_outcomes_has_its_keys(tenuto, recordings):
    record(recordings / "short.wav", seconds=0.001)
    (recordings / "text.wav").write_text("not sound")
    assert tenuto("enhance", "in", "-o", "out", *FAST).exit_code == 1
    lines = ledger_of(Path("out"))
    assert {name: line["status"] for name, line in lines.items()} == {
        "a.wav": "enhanced",
        "b.flac": "enhanced",
        "c.wav": "enhanced",
        "short.wav": "degraded",
        "text.wav": "quarantined",
    }
    assert all(list(line) == KEYS for line in lines.values())


def test_status_1_says_that_something_is_quarantined_and_why(tenuto, tmp_path):
    record(tmp_path / "good.wav")
    Path("broken.wav").write_text("not sound")
    ended = tenuto("enhance", "good.wav", "broken.wav", "gone.wav", "-o", "out", *FAST)
    assert ended.exit_code == 1
    assert "is text, not sound; name a recording" in ended.stderr
    assert "does not exist; check the name" in ended.stderr
    assert "2  quarantined          nothing is written; --replay tries it again" in ended.stdout
    assert "tenuto errors" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--ladder", "nope"), "tier nope is not usable"),
        (("--ladder", ","), "ladder"),
        (("--format", "docx"), "give wav, flac, ogg, opus, mp3 or m4a"),
        (("--ladder", "basic", "--meter", "none", "--min-quality", "3"), "choose a meter"),
        (("--ladder", "unset", "--meter", "none"), "install it"),
        (("--min-quality", "7"), "1<=x<=5"),
        (("--jobs", "0"), "x>=1"),
        (("--meter", "ears"), "dnsmos"),
    ],
)
def test_status_2_says_what_to_change(tenuto, recordings, arguments, said):
    ended = tenuto("enhance", "in", "-o", "out", *arguments)
    assert ended.exit_code == 2
    assert said in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


def test_an_output_folder_that_is_a_file_stops_the_run(tenuto, recordings):
    Path("out").write_text("mine")
    ended = tenuto("enhance", "in", "-o", "out", *FAST)
    assert ended.exit_code == 2
    assert "the output folder is not usable" in ended.stderr
    assert Path("out").read_text() == "mine"


def test_the_same_command_again_goes_on_and_overwrite_does_all_again(tenuto, recordings):
    tenuto("enhance", "in", "-o", "out", *FAST)
    record(recordings / "new.wav")
    again = tenuto("enhance", "in", "-o", "out", *FAST)
    assert "1  enhanced" in again.stdout
    assert "3  finished earlier" in again.stdout
    anew = tenuto("enhance", "in", "-o", "out", *FAST, "--overwrite")
    assert "4  enhanced" in anew.stdout
    assert len(ledger_of(Path("out"))) == 4


def test_a_dry_run_names_every_output_and_writes_nothing(tenuto, recordings):
    told = tenuto("enhance", "in", "-o", "out", "--dry-run")
    assert "in/deep/c.wav → out/deep/c.wav" in told.stdout
    as_json = tenuto("enhance", "in", "-o", "out", "--dry-run", "--json", "--format", "ogg")
    pairs = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert [Path(pair["output"]).name for pair in pairs] == ["a.ogg", "b.ogg", "c.ogg"]
    assert told.exit_code == as_json.exit_code == 0
    assert not Path("out").exists()


def test_a_dry_run_has_the_status_that_its_plan_calls_for(tenuto, recordings):
    rows = "".join(f"in/a.wav,{n}\n" for n in range(23))
    Path("list.csv").write_text(f"path\nin/a.wav\n{rows}")
    ordered = ("enhance", "--manifest", "list.csv", "-o", "out", "--dry-run")
    told = tenuto(*ordered)
    assert told.exit_code == 1
    assert "list.csv, line 3: it has 2 fields" in told.stdout
    assert "23 rows were left out" in told.stdout
    as_json = tenuto(*ordered, "--json")
    assert as_json.exit_code == 1
    (pair,) = map(json.loads, as_json.stdout.splitlines())
    assert Path(pair["input"]).name == "a.wav"
    *rows, last = map(json.loads, as_json.stderr.splitlines())
    assert [row["event"] for row in rows] == ["bad_row"] * 20
    assert "list.csv, line 3: it has 2 fields" in rows[0]["text"]
    assert last == {"event": "note", "text": "… and 3 more rows were left out"}


def test_a_dry_run_knows_what_is_left_in_quarantine(tenuto, tmp_path):
    Path("text.wav").write_text("not sound")
    assert tenuto("enhance", "text.wav", "-o", "out", *FAST).exit_code == 1
    assert tenuto("enhance", "text.wav", "-o", "out", *FAST, "--dry-run").exit_code == 1
    replay = ("--replay", "all", "--dry-run")
    assert tenuto("enhance", "text.wav", "-o", "out", *FAST, *replay).exit_code == 0


@pytest.mark.parametrize("word", ["Canary", "data", "group", "bogus", "al"])
def test_a_selection_that_is_misspelt_is_not_a_recording(tenuto, recordings, word):
    tenuto("enhance", "in", "-o", "out", *FAST)
    before = Path("out/outcomes.jsonl").read_text()
    ended = tenuto("enhance", "in", "-o", "out", *FAST, "--replay", word)
    assert ended.exit_code == 2
    assert f"'{word}' after --replay is neither all, canary, group:ID or class" in ended.stderr
    assert Path("out/outcomes.jsonl").read_text() == before


def test_a_selection_that_nothing_is_of_says_so(tenuto, tmp_path):
    Path("text.wav").write_text("not sound")
    ordered = ("enhance", "text.wav", "-o", "out", *FAST)
    tenuto(*ordered)
    ended = tenuto(*ordered, "--replay", "group:v1:none", "--replay", "class:bug")
    assert "1 in quarantine, and left there: --replay asks for others" in ended.stderr
    assert "asks for others" not in tenuto(*ordered).stderr
    assert "asks for others" not in tenuto(*ordered, "--replay", "class:data").stderr


def test_where_errors_cannot_be_kept_the_run_says_so_once_and_why(tenuto, recordings):
    Path("file").touch()
    (recordings / "text.wav").write_text("not sound")
    ended = tenuto("enhance", "in", "-o", "out", *FAST, "--journal", "file/below")
    assert ended.exit_code == 1
    why = "Errors are not kept: the journal file/below cannot be written: Not a directory"
    assert ended.stderr.count(why) == 1
    assert "tenuto errors" not in ended.stdout
    as_json = tenuto("enhance", "in", "-o", "out2", *FAST, "--journal", "file", "--json", "-q")
    (note,) = map(json.loads, as_json.stderr.splitlines())
    assert note["event"] == "note"
    assert "Errors are not kept" in note["text"]


def test_the_help_has_every_exit_status(tenuto):
    told = " ".join(tenuto("enhance", "--help").stdout.split())
    assert "0 if all is well, 1 if something is in quarantine or a row was left out, 2" in told
    assert "130 after Ctrl-C, and 143 after a TERM" in told


def test_the_last_lines_name_the_commands_that_tell_more(tenuto, tmp_path):
    record(tmp_path / "in" / "good.wav")
    record(tmp_path / "in" / "torn.wav")
    torn = Path("in/torn.wav")
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    degraded = tenuto("enhance", "in", "-o", "out", *FAST).stdout
    assert ledger_of(Path("out"))["torn.wav"]["errors"] == []
    assert "tenuto errors" not in degraded  # there are none
    assert "tenuto outcomes out --status degraded" in degraded
    Path("in/text.wav").write_text("not sound")
    quarantined = tenuto("enhance", "in", "-o", "out", *FAST).stdout
    assert "tenuto errors" in quarantined
    assert "tenuto outcomes out --status quarantined" in quarantined


def test_a_spent_budget_is_not_answered_with_the_same_command_again(tenuto, tmp_path):
    for name in ("0.wav", "1.wav"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text("not sound")
    ordered = ("enhance", "in", "-o", "out", *FAST)
    tenuto(*ordered)
    record(tmp_path / "in" / "good.wav")
    stopped = tenuto(*ordered, "--budget", "10%")
    assert stopped.exit_code == 2
    assert "stopped when 2 recordings had ended degraded or quarantined" in stopped.stderr
    assert "go on with a larger budget" in stopped.stderr
    assert "the same command again" not in stopped.stdout
    assert tenuto(*ordered).exit_code == 1
    done = tenuto(*ordered, "--budget", "10%")
    assert done.exit_code == 1
    assert "nothing to do" in done.stdout
    assert "budget" not in done.stderr


@pytest.mark.parametrize(("share", "told"), [("1.0", "give 1%, or 100%"), ("5", "is no share")])
def test_a_budget_that_is_none_is_refused_in_one_sentence(tenuto, recordings, share, told):
    ended = tenuto("enhance", "in", "-o", "out", "--budget", share)
    assert ended.exit_code == 2
    assert told in ended.stderr
    assert "is not usable" not in ended.stderr


def test_the_summary_as_json_is_one_object_on_standard_output(tenuto, recordings):
    ended = tenuto("enhance", "in", "-o", "out", *FAST, "--json")
    summary = json.loads(ended.stdout)
    assert (summary["inputs"], summary["enhanced"], summary["ignored"]) == (3, 3, 1)
    assert summary["tiers"] == {"steady": 3}
    assert summary["exit_status"] == 0
    assert summary["stopped"] is None


def test_progress_for_other_programs_is_one_object_a_line(tenuto, recordings):
    ended = tenuto("enhance", "in", "-o", "out", *FAST, "--json", "-v")
    began, *outcomes = map(json.loads, ended.stderr.splitlines())
    assert (began["event"], began["inputs"], began["left"]) == ("began", 3, 3)
    assert [each["event"] for each in outcomes] == ["outcome"] * 3
    written = [json.loads(line) for line in Path("out/outcomes.jsonl").read_text().splitlines()]
    assert [{"event": "outcome"} | line for line in written] == outcomes


def test_what_hinders_a_run_is_json_too_where_that_is_asked_for(tenuto, recordings):
    ended = tenuto("enhance", "in", "-o", "out", "--ladder", "nonsense", "--json")
    assert ended.exit_code == 2
    assert ended.stdout == ""
    told = json.loads(ended.stderr)
    assert told["event"] == "error"
    assert "nonsense" in told["text"]


def test_quiet_leaves_the_summary_verbose_names_every_recording(tenuto, recordings):
    quiet = tenuto("enhance", "in", "-o", "out", *FAST, "-q")
    assert quiet.stderr == ""
    assert "3  in all" in quiet.stdout
    verbose = tenuto("enhance", "in", "-o", "out", *FAST, "-v", "--overwrite")
    assert all(f"in/{name}" in verbose.stderr for name in ("a.wav", "b.flac", "deep/c.wav"))


def test_another_format_is_written_when_asked_for(tenuto, recordings):
    assert tenuto("enhance", "in", "-o", "out", *FAST, "--format", "flac").exit_code == 0
    assert soundfile.info("out/deep/c.flac").format == "FLAC"


def test_a_fall_to_a_lower_tier_is_told_as_it_happens(tenuto, recordings):
    ladder = ("--ladder", "failing,muting,steady", "--meter", "none", "--jobs", "1")
    ended = tenuto("enhance", "in/a.wav", "-o", "out", *ladder)
    assert ended.exit_code == 0
    assert "failing: " in ended.stderr
    line = ledger_of(Path("out"))["a.wav"]
    assert line["tier"] == "steady"
    assert "muting: the output is silent, the input is not" in line["reason"]
    shown = [tenuto("errors", "show", error).stdout for error in line["errors"]]
    assert ["EngineError" in each for each in shown] == [True, True, False]  # tried twice


def test_hostile_names_and_error_texts_cannot_steer_the_terminal(tenuto, tmp_path):
    record(tmp_path / "in" / "a\x1b[31m\n[bold]b[/bold].wav")
    ended = tenuto("enhance", "in", "-o", "out", *FAST[2:], "--ladder", "failing,steady", "-v")
    assert ended.exit_code == 0
    assert "\x1b" not in ended.stderr + ended.stdout
    assert "\\x1b[31m" in ended.stderr
    assert "[bold]b[/bold]" in ended.stderr
    assert "[bold]oil[/bold]" in ended.stderr


def test_a_file_that_no_run_has_written_is_not_replaced_unasked(tenuto, recordings):
    Path("out").mkdir()
    Path("out/a.wav").write_text("not ours")
    ended = tenuto("enhance", "in", "-o", "out", *FAST)
    assert ended.exit_code == 2
    assert "a.wav exists" in ended.stderr
    assert Path("out/a.wav").read_text() == "not ours"


def test_the_journal_is_where_the_user_says(tenuto, recordings):
    tenuto("enhance", "in", "-o", "out", *FAST, "--journal", "elsewhere")
    assert Path("elsewhere").is_dir()
    assert not Path("journal").exists()


def quarantine(tenuto):
    """A run that put one of two into quarantine."""
    record(Path("in/a.wav"))
    Path("in/bad.wav").write_text("not sound")
    assert tenuto("enhance", "in", "-o", "out", *FAST).exit_code == 1


def test_what_is_in_quarantine_is_left_there_and_still_counts(tenuto, tmp_path):
    quarantine(tenuto)
    again = tenuto("enhance", "in", "-o", "out", *FAST)
    assert again.exit_code == 1
    assert "1  quarantined earlier  nothing is written; --replay tries it again" in again.stdout
    assert "the same command with --replay" in again.stdout
    told = json.loads(tenuto("enhance", "in", "-o", "out", *FAST, "--json").stdout)
    assert (told["quarantined_earlier"], told["left"], told["exit_status"]) == (1, 0, 1)


def test_a_replay_tries_what_is_in_quarantine(tenuto, tmp_path):
    quarantine(tenuto)
    for replay in (
        ("--replay",),
        ("--replay", "all"),
        ("--replay=all",),
        ("--replay", "class:data"),
        ("--replay", "canary", "--replay", "class:data"),
    ):
        told = tenuto("enhance", *replay, "in", "-o", "out", *FAST, "--dry-run")
        assert "in/bad.wav → out/bad.wav" in told.stdout
        assert "1 done again: out of quarantine" in told.stdout
    ended = tenuto("enhance", "in", "-o", "out", *FAST, "--replay")
    assert "1 done again: out of quarantine" in ended.stderr
    assert "1  quarantined " in ended.stdout


def test_a_replay_of_another_class_or_group_leaves_it(tenuto, tmp_path):
    quarantine(tenuto)
    ended = tenuto("enhance", "in", "-o", "out", *FAST, "--replay", "class:bug")
    assert "quarantined earlier" in ended.stdout
    group = ledger_of(Path("out"))["bad.wav"]["group"]
    told = tenuto(
        "enhance", "in", "-o", "out", "--replay", f"group:{group[:9]}", *FAST, "--dry-run"
    )
    assert "in/bad.wav → out/bad.wav" in told.stdout
    assert "2 recordings; 1 finished" in told.stdout
    wrong = tenuto("enhance", "in", "-o", "out", "--replay", "class:fate")
    assert wrong.exit_code == 2
    assert "class:data" in wrong.stderr


def test_a_list_on_standard_input_and_a_manifest_are_taken_together(tenuto, recordings):
    Path("list.csv").write_text("path\nin/a.wav\nin/b.flac\n\nin/gone.wav,too,much\n")
    ended = tenuto(
        "enhance", "-", "-0", "--manifest", "list.csv", "-o", "out", *FAST, stdin=b"in/deep/c.wav\0"
    )
    assert ended.exit_code == 1
    assert sorted(ledger_of(Path("out"))) == ["a.wav", "b.flac", "c.wav"]
    assert "list.csv, line 5: it has 3 fields" in ended.stderr
    assert "1 row was left out." in ended.stdout


def test_somebody_has_to_name_recordings(tenuto, tmp_path):
    ended = tenuto("enhance", "-o", "out")
    assert ended.exit_code == 2
    assert "name recordings" in ended.stderr


@pytest.mark.parametrize("size", ["lots", "-1", "1X", ""])
def test_a_reserve_has_a_size(tenuto, recordings, size):
    ended = tenuto("enhance", "in", "-o", "out", f"--reserve={size}")
    assert ended.exit_code == 2
    assert "is no size: write 500M, 2GB or 1.5GiB" in ended.stderr


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1234", 1234),
        ("2G", 2 * 10**9),
        ("2 gb", 2 * 10**9),
        ("1GiB", 1 << 30),
        ("1.5 KiB", 1536),
        ("0.5k", 500),
        ("1TiB", 1 << 40),
        ("7B", 7),
    ],
)
def test_a_size_means_the_same_everywhere(text, size):
    assert SIZE.convert(text, None, None) == size


@pytest.mark.parametrize("text", ["1iB", "1Gi", "G", "1 X", "1,5G", "1e9", "infG"])
def test_what_is_no_size_is_none(text):
    with pytest.raises(click.BadParameter):
        SIZE.convert(text, None, None)


def test_the_run_waits_for_the_reserve_that_was_asked_for(tenuto, recordings):
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tenuto",
            "enhance",
            "in",
            "-o",
            "out",
            *FAST,
            "--reserve",
            "900000T",
        ],
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    assert process.stderr is not None
    try:
        line = next(line for line in process.stderr if "Waiting" in line)
        assert "goes on by itself when there is room" in line
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 128 + signal.SIGINT
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert tenuto("enhance", "in", "-o", "out", *FAST, "--reserve", "0.5k").exit_code == 0


@pytest.fixture
def started(tenuto, tmp_path):
    """The command in a process of its own, at work on recordings that never end."""
    for number in range(4):
        record(tmp_path / "in" / f"{number}.wav", seed=number)
    command = [sys.executable, "-m", "tenuto", "enhance", "in", "-o", "out", "--ladder"]
    command += ["hanging", "--meter", "none", "--jobs", "1", "-v"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stderr is not None
    assert "4 recordings" in process.stderr.readline()
    with open_journal() as journal:
        until = time.monotonic() + 60
        while not any(each.step == "hanging" for each in journal.open_attempts()):
            assert time.monotonic() < until, "nothing was begun"
            time.sleep(0.02)
    yield process
    process.kill()
    process.wait()
    process.stderr.close()


def test_the_second_ctrl_c_leaves_at_once_and_the_next_run_goes_on(tenuto, started):
    started.send_signal(signal.SIGINT)
    assert "Once more to leave at once" in started.stderr.readline()
    started.send_signal(signal.SIGINT)
    assert started.wait(30) == 128 + signal.SIGINT
    assert "the same command goes on where this run stopped" in started.stderr.read()
    again = tenuto("enhance", "in", "-o", "out", *FAST)
    assert "4  enhanced" in again.stdout


def test_a_run_that_is_killed_leaves_whole_files_and_the_next_goes_on(tenuto, started):
    started.send_signal(signal.SIGKILL)
    started.wait(30)
    again = tenuto("enhance", "in", "-o", "out", *FAST)
    assert again.exit_code == 0
    assert "4  enhanced" in again.stdout
    assert sorted(path.name for path in Path("out").iterdir()) == [
        ".tenuto",
        *(f"{number}.wav" for number in range(4)),
        "outcomes.jsonl",
    ]


def test_two_runs_cannot_share_an_output_folder(tenuto, started):
    ended = tenuto("enhance", "in", "-o", "out", *FAST)
    assert ended.exit_code == 2
    assert "another run writes to" in ended.stderr


def test_workers_are_held_to_the_memory_that_was_asked_for(tenuto, recordings):
    ended = tenuto("enhance", "in", "-o", "out", "--memory-limit", "100M", *FAST)
    assert ended.exit_code == 2
    assert "256 MB or more" in ended.stderr
    ended = tenuto("enhance", "in", "-o", "out", "--memory-limit", "600M", *FAST)
    assert ended.exit_code == 0
