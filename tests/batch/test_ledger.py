"""The ledger, what it tells of an input, and what becomes of it when things go wrong."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from tenuto.audio.names import path_text
from tenuto.batch.ledger.ledger import LEDGER_NAME, Ledger, entries, look_into
from tenuto.batch.ledger.parameters import Parameters
from tenuto.batch.planning import Planner
from tenuto.batch.sources.inputs import Input
from tenuto.batch.work import Work
from tenuto.errors import ConfigurationError, FaultClass
from tenuto.journal import Outcome, OutcomeStatus

KEYS = [
    "input", "output", "status", "tier", "quality_before", "quality_after", "seconds",
    "audio_seconds", "errors", "reason", "engine", "attempts", "fault_class", "group", "content",
    "size", "modified_ns", "parameters",
]  # fmt: skip
SETTINGS = Parameters('{"ladder": ["basic"]}')


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


class Opened:
    """A ledger in a run over these inputs, and its items."""

    def __init__(self, folder, *inputs, settings=SETTINGS, **planning):
        self.ledger = Ledger.for_run(str(folder))
        self.settings, self.planning, self.inputs = settings, planning, inputs

    def __enter__(self):
        number = self.ledger.work_with(self.settings)
        planner = Planner(
            self.ledger, suffixes={".wav": ".wav"}, parameters=number, **self.planning
        )
        rows = [
            each if isinstance(each, Input) else Input(str(each), Path(each).name)
            for each in self.inputs
        ]
        self.plan = planner.plan(rows)
        self.items = list(Work(self.ledger))
        return self

    def __exit__(self, *error):
        self.ledger.__exit__(*error)

    def settle(self, item, status=OutcomeStatus.ENHANCED, **rest):
        output = None if status is OutcomeStatus.QUARANTINED else path_text(item.output)
        if output:
            Path(item.output).write_bytes(b"sound")
        told = Outcome(input=path_text(item.input), output=output, status=status, **rest)
        self.ledger.settle(item, told)


def lines(folder):
    return [json.loads(line) for line in (folder / "outcomes.jsonl").read_bytes().splitlines()]


def test_a_line_has_exactly_the_keys_it_should_and_the_ledger_knows_the_same(out):
    with Opened(out, "/in/a.wav") as run:
        run.settle(
            run.items[0],
            OutcomeStatus.DEGRADED,
            errors=("e1", "e2"),
            tier="basic",
            engine="wiener",
            fault_class=FaultClass.QUALITY,
            group="v1:ab",
            quality_before=1.5,
            quality_after=2.5,
            attempts=2,
            content="00ff",
            reason="so",
        )
        (entry,) = entries(run.ledger.db, str(out))
    assert [list(line) for line in lines(out)] == [KEYS]
    assert entry.outcome.to_dict() == lines(out)[0]
    assert entry.outcome.parameters == SETTINGS.digest


def test_what_is_written_is_finished_as_long_as_its_output_is_there(out):
    with Opened(out, "/in/a.wav") as run:
        run.settle(run.items[0])
    with Opened(out, "/in/a.wav") as run:
        assert (run.plan.finished, run.items) == (1, [])
    os.unlink(out / "a.wav")  # noqa: PTH108
    with Opened(out, "/in/a.wav") as run:
        assert run.plan.again == {"the output is not there any more": 1}
        assert [item.output for item in run.items] == [str(out / "a.wav")]


def test_an_input_is_one_whatever_name_of_its_folder_it_goes_by(out, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.wav").write_bytes(b"a")
    (tmp_path / "link").symlink_to("in")
    with Opened(out, tmp_path / "link" / "a.wav", tmp_path / "in" / "a.wav") as run:
        assert (run.plan.inputs, run.plan.repeated) == (1, 1)
        run.settle(run.items[0])
    assert [line["input"] for line in lines(out)] == [str(tmp_path / "link" / "a.wav")]
    with Opened(out, tmp_path / "in" / "a.wav") as run:
        assert run.plan.finished == 1


def test_what_is_quarantined_is_left_there(out):
    with Opened(out, "/in/a.wav") as run:
        run.settle(run.items[0], OutcomeStatus.QUARANTINED)
    with Opened(out, "/in/a.wav") as run:
        assert (run.plan.finished, run.plan.quarantined, run.items) == (0, 1, [])


def test_the_latest_outcome_of_an_input_is_the_one_that_stays(out):
    with Opened(out, "/in/a.wav", "/in/b.wav") as run:
        run.settle(run.items[0], OutcomeStatus.QUARANTINED)
        run.settle(run.items[1])
        run.settle(run.items[0])
        assert len(lines(out)) == 3
        run.ledger.tidy()
    assert [(line["input"], line["status"]) for line in lines(out)] == [
        ("/in/a.wav", "enhanced"),
        ("/in/b.wav", "enhanced"),
    ]


def test_lines_that_are_right_are_not_written_again(out):
    with Opened(out, "/in/a.wav") as run:
        run.settle(run.items[0])
        run.ledger.tidy()
    before = (out / "outcomes.jsonl").stat().st_ino
    with Opened(out, "/in/a.wav") as run:
        run.ledger.tidy()
    assert (out / "outcomes.jsonl").stat().st_ino == before


@pytest.mark.parametrize("damage", ["cut", "twice", "gone", "foreign"])
def test_lines_that_are_not_right_are_made_so_by_the_end_of_the_next_run(out, damage):
    with Opened(out, "/in/a.wav", "/in/b.wav") as run:
        for item in run.items:
            run.settle(item)
        run.ledger.tidy()
    path = out / "outcomes.jsonl"
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        more = {"cut": whole[:-9], "twice": whole * 2, "foreign": b"not json\n[1]\n" + whole}
        path.write_bytes(more[damage])
    with Opened(out, "/in/a.wav", "/in/b.wav") as run:
        assert run.plan.finished == 2
        run.ledger.tidy()
    assert path.read_bytes() == whole


def test_a_run_that_was_interrupted_leaves_it_to_the_next_to_write_them_anew(out):
    with Opened(out, "/in/a.wav") as run:
        run.settle(run.items[0], OutcomeStatus.QUARANTINED)
        run.settle(run.items[0])
        run.ledger.tidy(rewrite=False)
        assert len(lines(out)) == 2
    with Opened(out, "/in/a.wav") as run:
        run.ledger.tidy()
    assert len(lines(out)) == 1


def test_a_run_that_was_killed_after_an_outcome_and_before_its_line_has_lost_nothing(out):
    with Opened(out, "/in/a.wav") as run:
        run.settle(run.items[0])
    (out / "outcomes.jsonl").write_bytes(b"")
    with Opened(out, "/in/a.wav") as run:
        assert run.plan.finished == 1
        run.ledger.tidy()
    assert len(lines(out)) == 1


def test_a_ledger_that_is_gone_is_made_again_from_the_lines(out, tmp_path):
    source = tmp_path / "a.wav"
    source.write_bytes(b"a")
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff 100%.wav")
    with Opened(out, source, odd, "/in/bad.wav") as run:
        run.settle(run.items[0], content="aa", errors=("e",), fault_class=FaultClass.QUALITY)
        run.settle(run.items[1], OutcomeStatus.DEGRADED)
        run.settle(run.items[2], OutcomeStatus.QUARANTINED)
        run.ledger.tidy()
    before = (out / "outcomes.jsonl").read_bytes()
    for path in (out / ".tenuto").iterdir():
        path.unlink()
    (out / "outcomes.jsonl").write_bytes(b'{"input": 1}\n[]\nnonsense\n' + before)
    with Opened(out, source, odd, "/in/bad.wav") as run:
        assert (run.plan.finished, run.plan.quarantined) == (2, 1)
        run.ledger.tidy()
    assert (out / "outcomes.jsonl").read_bytes() == before


def test_a_name_that_is_not_text_is_written_as_a_uri_and_found_again(out):
    name = os.fsdecode(b"/in/\xff 100%.wav")
    with Opened(out, name) as run:
        run.settle(run.items[0], reason="a lone surrogate: \udcff")
        assert run.items[0].input == name
    text = (out / "outcomes.jsonl").read_bytes().decode("utf-8")
    assert json.loads(text)["input"] == "file:///in/%FF%20100%25.wav"
    assert (out / os.fsdecode(b"\xff 100%.wav")).exists()
    with Opened(out, name) as run:
        assert run.plan.finished == 1


def test_a_name_with_a_line_break_in_it_is_one_line(out):
    with Opened(out, "/in/two\nlines.wav") as run:
        run.settle(run.items[0])
    assert [line["input"] for line in lines(out)] == ["/in/two\nlines.wav"]


def test_what_a_manifest_says_beside_the_path_is_carried_along(out):
    row = Input("/in/a.wav", "a.wav", carried='{"text": "hello", "speaker": 7}')
    with Opened(out, row) as run:
        run.settle(run.items[0])
        (entry,) = entries(run.ledger.db, str(out))
    assert lines(out)[0]["manifest"] == entry.carried == {"text": "hello", "speaker": 7}


def test_a_full_disk_leaves_only_whole_lines_and_the_ledger_has_it(out, monkeypatch):
    with Opened(out, "/in/a.wav", "/in/b.wav") as run:
        run.settle(run.items[0])
        write, calls = os.write, []

        def full(descriptor, data):
            calls.append(data)
            if len(calls) > 1:
                raise OSError(28, "No space left on device")
            return write(descriptor, data[:10])

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            run.settle(run.items[1])
        monkeypatch.undo()
        assert [line["input"] for line in lines(out)] == ["/in/a.wav"]
        run.ledger.tidy()
    assert [line["input"] for line in lines(out)] == ["/in/a.wav", "/in/b.wav"]


def test_a_ledger_that_cannot_be_written_says_so(out):
    with Opened(out, "/in/a.wav") as run:
        run.ledger.db.execute("PRAGMA query_only = 1")
        with pytest.raises(OSError, match="readonly"):
            run.settle(run.items[0])
        with pytest.raises(OSError, match="readonly"):
            run.ledger.confirm(run.items[0])
        with pytest.raises(OSError, match="readonly"):
            run.ledger.tidy()


def test_a_ledger_of_a_later_version_is_left_alone(out):
    with Ledger.for_run(str(out)):
        pass
    with sqlite3.connect(out / LEDGER_NAME) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ConfigurationError, match="version 99"):
        Ledger.for_run(str(out))


def test_a_damaged_ledger_says_how_to_get_another(out):
    with Opened(out, "/in/a.wav") as run:
        run.settle(run.items[0])
        run.ledger.tidy()
    (out / LEDGER_NAME).write_bytes(b"SQLite format 3\0" + b"\xff" * 5_000)
    for open_it in (Ledger.for_run, Ledger.for_rehearsal, look_into):
        with pytest.raises(ConfigurationError, match=r"delete it: it is made again"):
            open_it(str(out))
    (out / LEDGER_NAME).unlink()
    with Opened(out, "/in/a.wav") as run:
        assert run.plan.finished == 1


def test_damage_that_shows_while_it_is_read_is_told_too(out):
    with (
        pytest.raises(ConfigurationError, match=r"malformed; where it is damaged, delete it"),
        Ledger.for_run(str(out)),
    ):
        raise sqlite3.DatabaseError("database disk image is malformed")


def test_something_else_in_its_place_is_a_matter_of_configuration(out):
    (out / ".tenuto").write_text("mine")
    with pytest.raises(ConfigurationError, match=r"ledger\.db"):
        Ledger.for_run(str(out))


def test_a_rehearsal_changes_nothing(out):
    with Opened(out, "/in/a.wav") as run:
        run.settle(run.items[0])
        run.ledger.tidy()
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with Ledger.for_rehearsal(str(out)) as ledger:
        number = ledger.work_with(SETTINGS)
        rows = [Input("/in/a.wav", "a.wav"), Input("/in/b.wav", "b.wav")]
        plan = Planner(ledger, suffixes={".wav": ".wav"}, parameters=number).plan(rows)
        assert (plan.finished, plan.left) == (1, 1)
        other = ledger.work_with(Parameters("{}"))
        again = Planner(ledger, suffixes={".wav": ".wav"}, parameters=other)
        assert again.plan([Input("/in/c.wav", "c.wav")]).left == 1
    after = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert {path: after[path] for path in before} == before
    with Ledger.for_rehearsal(str(out / "not there")) as ledger:
        assert Planner(ledger, suffixes={}).plan([]).inputs == 0
    assert not (out / "not there").exists()
