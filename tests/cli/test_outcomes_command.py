from __future__ import annotations

import errno
import json
import sqlite3
import sys
from pathlib import Path

import pytest

from tenuto.batch.ledger.ledger import Ledger
from tenuto.batch.ledger.parameters import Parameters
from tenuto.batch.planning import Planner
from tenuto.batch.sources.inputs import Input
from tenuto.batch.work import Work
from tenuto.errors import FaultClass
from tenuto.journal import Outcome, OutcomeStatus

ENDS = [
    {"tier": "high_quality", "quality_after": 3.5},
    {"tier": "high_quality", "quality_after": 2.0},
    {"tier": "basic", "quality_after": 1.5, "fault_class": FaultClass.QUALITY, "group": "v1:aa11"},
    {
        "status": OutcomeStatus.DEGRADED,
        "tier": "original",
        "reason": "too [bold]short[/bold]\x1b[2J",
        "fault_class": FaultClass.DATA,
        "group": "v1:bb22",
        "errors": ("e1",),
    },
    {
        "status": OutcomeStatus.QUARANTINED,
        "output": None,
        "reason": "is text",
        "fault_class": FaultClass.DATA,
        "group": "v1:bb33",
    },
]


@pytest.fixture
def ledger(tmp_path):
    """The ledger of a run that is at work: five have ended, one has not."""
    folder = tmp_path / "out"
    folder.mkdir()
    with Ledger.for_run(str(folder)) as opened:
        number = opened.work_with(Parameters("{}"))
        rows = [Input(f"/in/{n}.wav", f"{n}.wav", carried='{"text": "x"}') for n in range(6)]
        Planner(opened, suffixes={".wav": ".wav"}, parameters=number).plan(rows)
        for item, end in zip(Work(opened), ENDS, strict=False):
            fields = {"output": item.output, "status": OutcomeStatus.ENHANCED, **end}
            opened.settle(item, Outcome(input=item.input, **fields))
        yield opened


@pytest.fixture
def listed(tenuto, ledger):
    def ask(*options):
        ended = tenuto("outcomes", "out", "--json", *options)
        assert ended.exit_code == 0
        return [Path(json.loads(line)["input"]).stem for line in ended.stdout.splitlines()]

    return ask


def test_without_a_question_it_counts(tenuto, ledger):
    ended = tenuto("outcomes", "out")
    assert ended.exit_code == 0
    lines = [line.strip() for line in ended.stdout.splitlines()]
    assert lines[:5] == [
        "3  enhanced     2 high_quality, 1 basic",
        "1  degraded     1 original",
        "1  quarantined",
        "─",
        "5  in all",
    ]
    assert "2  data            --class data names them" in lines
    assert lines[-1] == "Which, and why: tenuto outcomes out --status quarantined"


def test_a_tier_that_did_nothing_is_answered_with_those_that_did(tenuto, ledger):
    ended = tenuto("outcomes", "out", "--tier", "hgih", "--json")
    assert ended.exit_code == 2
    assert "by a tier hgih; those that are there: basic, high_quality, original" in ended.stderr
    none = tenuto("outcomes", "out", "--tier", "medium")
    assert (none.exit_code, none.stdout.strip()) == (0, "0 outcomes.")


def test_json_and_parquet_are_not_given_together(tenuto, ledger):
    ended = tenuto("outcomes", "out", "--json", "--parquet", "some.parquet")
    assert ended.exit_code == 2
    assert "--json or --parquet, not both" in ended.stderr
    assert not Path("some.parquet").exists()


def test_a_limit_holds_for_parquet_too(tenuto, ledger):
    pytest.importorskip("pyarrow")
    ended = tenuto("outcomes", "out", "--limit", "2", "--parquet", "some.parquet")
    assert "2 outcomes in some.parquet" in ended.stdout


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), "01234"),
        (("--status", "enhanced"), "012"),
        (("--tier", "high"), "01"),
        (("--tier", "basic"), "2"),
        (("--class", "data"), "34"),
        (("--error", "v1:bb"), "34"),
        (("--error", "bb33"), "4"),
        (("--error", "b33"), ""),
        (("--worse-than", "2.5"), "12"),
        (("--worse-than", "2.5", "--tier", "high"), "1"),
        (("--error", "v1:bb", "--status", "degraded", "--class", "data"), "3"),
        (("--limit", "2"), "01"),
    ],
    ids=str,
)
def test_a_question_names_those_for_which_all_of_it_holds(listed, options, found):
    assert "".join(listed(*options)) == found


def test_people_get_a_line_each_and_nothing_that_steers_the_terminal(tenuto, ledger):
    ended = tenuto("outcomes", "out", "--class", "data")
    assert "/in/3.wav" in ended.stdout
    assert "too [bold]short[/bold]\\x1b[2J" in ended.stdout
    assert "quarantined" in ended.stdout
    assert "2 outcomes." in ended.stdout
    few = tenuto("outcomes", "out", "--limit", "2")
    assert "… and 3 more: --limit 5, --json or --parquet FILE" in few.stdout


def test_lines_are_those_of_the_file(tenuto, ledger):
    ended = tenuto("outcomes", "out", "--json")
    assert ended.stdout == Path("out/outcomes.jsonl").read_text()


def test_parquet_has_the_same(tenuto, ledger):
    pq = pytest.importorskip("pyarrow.parquet")
    ended = tenuto("outcomes", "out", "--status", "degraded", "--parquet", "some.parquet")
    assert "1 outcome in some.parquet" in ended.stdout
    (row,) = pq.read_table("some.parquet").to_pylist()
    line = json.loads(Path("out/outcomes.jsonl").read_text().splitlines()[3])
    assert json.loads(row.pop("manifest")) == line.pop("manifest") == {"text": "x"}
    assert row == line


def test_parquet_that_cannot_be_written_says_why(tenuto, ledger, monkeypatch):
    Path("file").touch()
    ended = tenuto("outcomes", "out", "--parquet", "file/some.parquet")
    assert ended.exit_code == 2
    assert "file/some.parquet: " in ended.stderr
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    ended = tenuto("outcomes", "out", "--parquet", "some.parquet")
    assert ended.exit_code == 2
    assert "pip install 'tenuto[parquet]'" in ended.stderr


def test_where_no_run_was_it_says_so(tenuto, tmp_path):
    ended = tenuto("outcomes", "nowhere")
    assert ended.exit_code == 2
    assert "name the output folder of a run" in ended.stderr
    assert not Path("nowhere").exists()


def test_rows_that_named_no_recording_are_told(tenuto, ledger):
    rows = [("list.csv", n, "no path") for n in range(12)]
    ledger.db.executemany("INSERT INTO bad_rows VALUES (?, ?, ?)", rows)
    shown = tenuto("outcomes", "out").stdout
    assert "12 rows were left out:" in shown
    assert "list.csv, line 0: no path" in shown
    assert "… and 2 more" in shown


def test_a_ledger_that_is_damaged_says_what_to_do(tenuto, ledger, tmp_path, monkeypatch):
    def damaged(self, question):
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr("tenuto.batch.ledger.asking.Outcomes.find", damaged)
    ended = tenuto("outcomes", tmp_path / "out", "--json")
    assert ended.exit_code == 2
    assert "where it is damaged, delete it" in ended.stderr


def test_a_pipe_that_is_closed_early_is_no_trouble(tenuto, ledger, tmp_path, monkeypatch):
    def closed(*_, **__):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("click.echo", closed)
    ended = tenuto("outcomes", tmp_path / "out", "--json")
    assert "Broken pipe" not in ended.stderr
