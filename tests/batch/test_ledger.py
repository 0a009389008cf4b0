"""``outcomes.jsonl`` has a line for each input, whatever happens to it."""

from __future__ import annotations

import json
import os

import pytest

from tenuto.batch.ledger import Ledger
from tenuto.batch.plan import Item
from tenuto.journal import Outcome, OutcomeStatus

KEYS = [
    "input", "output", "status", "tier", "quality_before", "quality_after", "seconds",
    "audio_seconds", "errors", "reason",
]  # fmt: skip


@pytest.fixture
def item(tmp_path):
    output = tmp_path / "a.wav"
    output.write_bytes(b"sound")
    return Item("/in/a.wav", str(output))


def outcome(item, status=OutcomeStatus.ENHANCED, **rest):
    output = None if status is OutcomeStatus.QUARANTINED else item.output
    return Outcome(input=item.input, output=output, status=status, **rest)


def lines(ledger):
    return [json.loads(line) for line in ledger.path.read_bytes().splitlines()]


def test_a_line_has_exactly_the_keys_it_should(tmp_path, item):
    with Ledger(tmp_path) as ledger:
        ledger.append(outcome(item, errors=("e1",), tier="basic"))
    assert [list(line) for line in lines(ledger)] == [KEYS]


def test_what_is_written_is_finished_as_long_as_its_output_is_there(tmp_path, item):
    with Ledger(tmp_path) as ledger:
        assert not ledger.is_finished(item)
        ledger.append(outcome(item))
        assert ledger.is_finished(item)
    again = Ledger(tmp_path)
    assert again.is_finished(item)
    assert again.knows(item)
    assert again.outputs() == {item.input: item.output}
    assert not again.is_finished(Item(item.input, "/elsewhere.wav"))
    os.unlink(item.output)  # noqa: PTH108 - an item has strings
    assert not again.is_finished(item)


def test_what_is_quarantined_is_not_finished_but_known(tmp_path, item):
    with Ledger(tmp_path) as ledger:
        ledger.append(outcome(item, OutcomeStatus.QUARANTINED))
        assert not ledger.is_finished(item)
        assert ledger.knows(item)
        assert ledger.outputs() == {}


def test_the_latest_line_about_an_input_is_the_one_that_stays(tmp_path, item):
    other = Item("/in/b.wav", str(tmp_path / "b.wav"))
    with Ledger(tmp_path) as ledger:
        ledger.append(outcome(item, OutcomeStatus.QUARANTINED))
        ledger.append(outcome(other))
        ledger.append(outcome(item))
        ledger.compact()
    assert [(line["input"], line["status"]) for line in lines(ledger)] == [
        ("/in/b.wav", "enhanced"),
        ("/in/a.wav", "enhanced"),
    ]


def test_a_line_that_was_cut_short_is_dropped(tmp_path, item):
    with Ledger(tmp_path) as ledger:
        ledger.append(outcome(item))
    with ledger.path.open("ab") as file:
        file.write(b'{"input": "/in/b.wav", "outp')
    with Ledger(tmp_path) as again:
        assert again.is_finished(item)
        again.append(outcome(Item("/in/b.wav", "/b.wav")))
    assert [line["input"] for line in lines(ledger)] == ["/in/a.wav", "/in/b.wav"]


def test_a_line_that_is_not_ours_goes(tmp_path, item):
    (tmp_path / "outcomes.jsonl").write_text('not json\n[1]\n{"input": "x"}\n')
    with Ledger(tmp_path) as ledger:
        ledger.append(outcome(item))
        ledger.compact()
    assert [line["input"] for line in lines(ledger)] == ["/in/a.wav"]


def test_a_name_that_is_not_text_is_written_as_a_uri_and_found_again(tmp_path):
    output = tmp_path / os.fsdecode(b"\xff 100%.wav")
    output.write_bytes(b"")
    item = Item(os.fsdecode(b"/in/\xff 100%.wav"), str(output))
    from tenuto.audio.names import path_text

    with Ledger(tmp_path) as ledger:
        ledger.append(
            Outcome(
                input=path_text(item.input),
                output=path_text(item.output),
                status=OutcomeStatus.DEGRADED,
                reason="a lone surrogate: \udcff",
            )
        )
    text = ledger.path.read_bytes().decode("utf-8")
    assert json.loads(text)["input"] == "file:///in/%FF%20100%25.wav"
    again = Ledger(tmp_path)
    assert again.is_finished(item)
    assert again.outputs() == {item.input: item.output}


def test_a_full_disk_leaves_only_whole_lines(tmp_path, item, monkeypatch):
    with Ledger(tmp_path) as ledger:
        ledger.append(outcome(item))
        write, calls = os.write, []

        def full(descriptor, data):
            calls.append(data)
            if len(calls) > 1:
                raise OSError(28, "No space left on device")
            return write(descriptor, data[:10])

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            ledger.append(outcome(Item("/in/b.wav", "/b.wav")))
        monkeypatch.undo()
        assert not ledger.knows(Item("/in/b.wav", "/b.wav"))
    assert [line["input"] for line in lines(ledger)] == ["/in/a.wav"]
