"""Recordings that are listed: in a manifest, or on standard input."""

from __future__ import annotations

import io
import json
import os
import sys
import tracemalloc

import pytest

from tenuto.batch.ledger.rows import line_of
from tenuto.batch.sources.inputs import BadRow
from tenuto.batch.sources.manifest import read_list, read_manifest
from tenuto.errors import ConfigurationError
from tenuto.journal import Outcome, OutcomeStatus

from .conftest import ledger_of


@pytest.fixture
def source(tmp_path):
    for name in ("a.wav", "deep/b.wav", "c.wav"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "in"


def csv(path):
    path.write_text(
        "audio_filepath,text,output\n"
        'a.wav,"hello,\nyou",\n'
        "deep/b.wav,,renamed/b.wav\n"
        f"{path.parent}/c.wav,c,\n"
    )


def jsonl(path):
    rows = [
        {"audio_filepath": "a.wav", "text": "hello,\nyou"},
        {"audio_filepath": "deep/b.wav", "text": "", "output": "renamed/b.wav"},
        {"audio_filepath": f"{path.parent}/c.wav", "text": "c"},
    ]
    path.write_text("\n\n".join(json.dumps(row) for row in rows))


def parquet(path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    rows = {
        "audio_filepath": ["a.wav", "deep/b.wav", f"{path.parent}/c.wav"],
        "text": ["hello,\nyou", "", "c"],
        "output": [None, "renamed/b.wav", None],
    }
    pq.write_table(pa.table(rows), path)


@pytest.mark.parametrize("kind", [csv, jsonl, parquet], ids=lambda kind: kind.__name__)
def test_a_manifest_names_recordings_and_places_and_its_columns_come_along(
    runs, source, tmp_path, kind
):
    path = source / f"list.{kind.__name__}"
    kind(path)
    summary = runs.run([], tmp_path / "out", sources={"manifests": [path]})
    assert (summary.inputs, summary.exit_status) == (3, 0)
    found = ledger_of(tmp_path / "out")
    outputs = {
        name: os.path.relpath(line["output"], tmp_path / "out") for name, line in found.items()
    }
    assert outputs == {"a.wav": "a.wav", "b.wav": "renamed/b.wav", "c.wav": "c.wav"}
    assert {name: line["manifest"]["text"] for name, line in found.items()} == {
        "a.wav": "hello,\nyou",
        "b.wav": "",
        "c.wav": "c",
    }
    assert runs.run([], tmp_path / "out", sources={"manifests": [path]}).finished_earlier == 3


def test_rows_that_make_no_sense_are_told_by_their_lines_and_the_others_are_done(
    runs, source, tmp_path
):
    path = source / "list.jsonl"
    path.write_text(
        '{"input": "a.wav"}\n'
        "{not json\n"
        "[1, 2]\n"
        '{"file": "b.wav"}\n'
        '{"input": 7}\n'
        '{"input": "nul\\u0000.wav"}\n'
        '{"input": "c.wav", "output": "../outside.wav"}\n'
        '{"input": "c.wav", "output": "c.flac"}\n'
        '{"input": "deep/b.wav", "output": "a.wav"}\n'
        '{"input": "c.wav"}\n'
        '{"input": "in/../c.wav"}\n'
    )
    summary = runs.run([], tmp_path / "out", sources={"manifests": [path]})
    assert (summary.inputs, summary.bad_rows, summary.exit_status) == (2, 8, 1)
    assert runs.notes.plan.repeated == 1
    told = [text.removeprefix(f"{path}, line ") for text in runs.notes.plan.bad_rows_first]
    assert [text.split(":")[0] for text in told] == ["2", "3", "4", "5", "6", "7", "8", "9"]
    assert "is no JSON" in told[0]
    assert "no path in a column input, path or audio_filepath" in told[2]
    assert "below the output folder" in told[5]
    assert "must end in '.wav'" in told[6]
    assert "that of another input" in told[7]


def test_a_csv_row_with_more_fields_than_columns_is_told(source):
    (source / "list.csv").write_text("path,text\na.wav,x,y\n\nc.wav\n")
    first, second = read_manifest(source / "list.csv", "/out")
    assert first == BadRow(str(source / "list.csv"), 2, "it has 3 fields, and there are 2 columns")
    assert (second.path, second.carried, second.line) == (str(source / "c.wav"), None, 4)


def test_a_quote_too_many_costs_what_it_spoils_and_that_is_told(source):
    (source / "list.csv").write_text(
        'path,text\na.wav,x\nb.wav,"stray\nc.wav,y\nd.wav,"said"\ne.wav,z\n'
    )
    first, bad, last = read_manifest(source / "list.csv", "/out")
    assert [row.path for row in (first, last)] == [str(source / "a.wav"), str(source / "e.wav")]
    assert (bad.line, last.line) == (3, 6)
    assert "goes on to line 5" in bad.reason
    assert "is a quote missing, or one too many?" in bad.reason


@pytest.mark.parametrize("row", ['b.wav,"x\nc.wav,y",z', '"b.wav,x\nc.wav,y"'])
def test_rows_that_a_quote_made_one_are_told_where_the_number_of_fields_shows_it(source, row):
    (source / "list.csv").write_text(f"path,text\n{row}\nd.wav,z\n")
    bad, last = read_manifest(source / "list.csv", "/out")
    assert (bad.line, last.line) == (2, 4)
    assert "and there are 2 columns, and goes on to line 3" in bad.reason


def test_a_quote_that_is_never_closed_stops_the_run_and_the_line_is_named(runs, source, tmp_path):
    (source / "list.csv").write_text('path,text\na.wav,x\n"b.wav,y\n' + "c.wav,z\n" * 1000)
    said = r"list\.csv .*row that begins in line 3 never ends: is a quote missing"
    with pytest.raises(ConfigurationError, match=said):
        runs.run([], tmp_path / "out", sources={"manifests": [source / "list.csv"]})


def test_nor_is_what_follows_lost_where_it_is_too_much_to_look_for_its_end(source):
    rows = "c.wav,z\n" * 1_300_000
    (source / "list.csv").write_text(f'path,text\na.wav,x\n"b.wav,y\n{rows}"d.wav",\n')
    with pytest.raises(ConfigurationError, match="row that begins in line 3 is too long"):
        list(read_manifest(source / "list.csv", "/out"))


def test_one_line_beyond_all_measure_is_one_bad_row(source):
    (source / "list.csv").write_text(f'path,text\na.wav,"{"x" * 10_000_000}"\nb.wav,y\n')
    bad, good = read_manifest(source / "list.csv", "/out")
    assert bad == BadRow(str(source / "list.csv"), 2, "it is longer than 10,000,000 characters")
    assert (good.path, good.line) == (str(source / "b.wav"), 3)


def test_names_that_no_file_can_have_are_bad_rows(runs, source, tmp_path):
    path = source / "list.jsonl"
    path.write_text(
        '{"path": "x\\ud83d.wav"}\n'
        '{"path": "file:///tmp/x%00.wav"}\n'
        '{"path": "c.wav", "output": "x\\ud83d.wav"}\n'
        '{"path": "c.wav", "output": "file:///out/x%00.wav"}\n'
        '{"path": "a.wav"}\n'
    )
    summary = runs.run([], tmp_path / "out", sources={"manifests": [path]})
    assert (summary.inputs, summary.bad_rows, summary.exit_status) == (1, 4, 1)
    first, _, third, _ = runs.notes.plan.bad_rows_first
    assert first.endswith("'x\\ud83d.wav' is no path")
    assert "is no path below the output folder" in third


def test_the_outcomes_are_json_and_text_whatever_a_manifest_carries(runs, source, tmp_path):
    (source / "a.jsonl").write_text(
        '{"path": "a.wav", "snr": NaN, "list": [Infinity, 1e999, 1.5], "half": "\\ud83d"}\n'
    )
    (source / "b.csv").write_bytes(b"path,text\ndeep/b.wav,caf\xe9 \xc3\xa9\n")
    manifests = [source / "a.jsonl", source / "b.csv"]
    runs.run([], tmp_path / "out", sources={"manifests": manifests})

    def refuse(constant):
        raise AssertionError(constant)

    carried = [
        json.loads(line, parse_constant=refuse)["manifest"]
        for line in (tmp_path / "out/outcomes.jsonl").read_text("utf-8").splitlines()
    ]
    assert sorted(carried, key=str) == [
        {"snr": None, "list": [None, None, 1.5], "half": "\\ud83d"},
        {"text": "caf\\xe9 é"},
    ]


def test_what_an_earlier_version_carried_becomes_json_too():
    outcome = Outcome(input="/a.wav", output=None, status=OutcomeStatus.QUARANTINED)
    line = line_of(outcome, {"snr": float("nan"), "text": "caf\udce9"})
    assert json.loads(line)["manifest"] == {"snr": None, "text": "caf\\xe9"}


def test_a_column_that_is_nested_too_deep_is_a_bad_row(source):
    (source / "list.jsonl").write_text(
        '{"path": "a.wav", "x": ' + "[" * 500 + "]" * 500 + '}\n{"path": "b.wav", "x": [[]]}\n'
    )
    bad, good = read_manifest(source / "list.jsonl", "/out")
    assert (bad.line, good.line) == (1, 2)
    assert "nested more than 100 deep" in bad.reason


def test_odd_values_in_parquet_are_carried_as_text(source):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    moment = pa.array([1_700_000_000_000_000_123, None]).cast(pa.timestamp("ns"))
    not_text = pa.array([b"caf\xe9", b"caf\xc3\xa9"]).view(pa.string())
    columns = {
        "path": pa.array([b"caf\xe9.wav", b"b.wav"]).view(pa.string()),
        "at": moment,
        "took": pa.array([123, 1_000_000_000]).cast(pa.duration("ns")),
        "text": not_text,
        "both": pa.StructArray.from_arrays([moment, not_text], ["at", "text"]),
        "some": pa.ListArray.from_arrays(pa.array([0, 1, 2]), not_text),
        "kind": pa.ExtensionArray.from_storage(pa.opaque(moment.type, "", ""), moment),
        "snr": pa.array([float("nan"), 1.5]),
        "bytes": pa.array([b"\xff", b"a"]),
    }
    pq.write_table(pa.table(columns), source / "list.parquet")
    odd, plain = read_manifest(source / "list.parquet", "/out")
    assert odd.path == str(source / os.fsdecode(b"caf\xe9.wav"))
    text, at = "caf\\xe9", "2023-11-14 22:13:20.000000123"
    told = json.loads(odd.carried)
    assert told.pop("took") in {"123", "0 days 00:00:00.000000123"}  # with pandas
    assert told == {
        "at": at,
        "text": text,
        "both": {"at": at, "text": text},
        "some": [text],
        "kind": at,
        "snr": None,
        "bytes": "\\xff",
    }
    assert plain.path == str(source / "b.wav")
    assert json.loads(plain.carried)["both"] == {"at": None, "text": "café"}
    assert json.loads(plain.carried)["took"] == "0:00:01"


def test_names_that_are_not_text_come_through(source):
    (source / "list.csv").write_bytes(b"\xef\xbb\xbfpath\ncaf\xe9.wav\n")
    (source / "list.jsonl").write_text('{"path": "file:///x/caf%E9.wav"}\n')
    (row,) = read_manifest(source / "list.csv", "/out")
    assert row.path == str(source / os.fsdecode(b"caf\xe9.wav"))
    (row,) = read_manifest(source / "list.jsonl", "/out")
    assert (row.path, row.place) == (os.fsdecode(b"/x/caf\xe9.wav"), os.fsdecode(b"x/caf\xe9.wav"))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("list.csv", "name,text\na.wav,x\n", "its first line names no column input"),
        ("list.csv", "", "its first line names no column"),
        ("list.txt", "a.wav\n", "give a file called .csv, .jsonl or .parquet"),
        ("gone.jsonl", None, "No such file"),
        ("list.parquet", "no parquet", "list.parquet"),
    ],
)
def test_what_is_no_manifest_stops_the_run_before_it_begins(
    runs, source, tmp_path, name, text, said
):
    if text is not None:
        (source / name).write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        runs.run([], tmp_path / "out", sources={"manifests": [source / name]})


def test_a_parquet_file_without_a_path_is_told(source):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    pq.write_table(pa.table({"x": [1]}), source / "x.parquet")
    with pytest.raises(ConfigurationError, match="it has no column input"):
        list(read_manifest(source / "x.parquet", "/out"))


def test_without_pyarrow_it_is_said_what_to_install(source, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (source / "x.parquet").write_text("")
    with pytest.raises(ConfigurationError, match=r"tenuto\[parquet\]"):
        list(read_manifest(source / "x.parquet", "/out"))


@pytest.mark.parametrize(("end", "null"), [(b"\n", False), (b"\0", True)])
def test_a_list_is_read_line_by_line_or_nul_by_nul(source, monkeypatch, end, null):
    monkeypatch.chdir(source)
    names = [b"a.wav", b"", b"deep/b.wav", b"/else/where.wav", b"caf\xe9.wav"]
    found = list(read_list(io.BytesIO(end.join(names)), null=null))
    assert [(row.place, row.line) for row in found] == [
        ("a.wav", 1),
        ("deep/b.wav", 3),
        ("else/where.wav", 4),
        (os.fsdecode(b"caf\xe9.wav"), 5),
    ]
    assert found[0].path == str(source / "a.wav")


def test_names_with_line_breaks_need_nul(source, monkeypatch):
    monkeypatch.chdir(source)
    (row,) = read_list(io.BytesIO(b"two\nlines.wav\0"), null=True)
    assert row.place == "two\nlines.wav"
    (bad,) = read_list(io.BytesIO(b"a.wav\0b.wav\0"), null=False)
    assert bad == BadRow("standard input", 1, "there is a NUL in it: are they ended by NUL?")


def test_a_list_from_windows_names_the_same_files(source, monkeypatch):
    monkeypatch.chdir(source)
    rows = list(read_list(io.BytesIO(b"a.wav\r\n\r\nc.wav\r\n"), null=False))
    assert [(row.place, row.line) for row in rows] == [("a.wav", 1), ("c.wav", 3)]
    (row,) = read_list(io.BytesIO(b"a.wav\r\0"), null=True)
    assert row.place == "a.wav\r"


def test_a_list_of_lines_is_not_taken_for_one_ended_by_nul(source, monkeypatch):
    monkeypatch.chdir(source)
    (bad,) = read_list(io.BytesIO(b"a.wav\nb.wav\n"), null=True)
    told = "there are line breaks in it and no NUL: leave out -0?"
    assert bad == BadRow("standard input", 1, told)
    (bad,) = read_list(io.BytesIO(b"recordings/of/a/night.wav\n" * 100_000), null=True)
    assert bad.reason == told
    one, other = read_list(io.BytesIO(b"two\nlines.wav\0two\nothers.wav"), null=True)
    assert (one.place, other.place) == ("two\nlines.wav", "two\nothers.wav")


def test_a_path_without_an_end_is_a_bad_row_and_takes_neither_memory_nor_time(source):
    class Long(io.RawIOBase):
        blocks = 1_000

        def read(self, size):
            self.blocks -= 1
            return b"x" * size if self.blocks > 0 else b"\nb.wav" if self.blocks == 0 else b""

    tracemalloc.start()
    try:
        bad, good = read_list(Long(), null=False)
        memory = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert bad == BadRow("standard input", 1, "it is longer than 1,000,000 bytes")
    assert good.path.endswith("/b.wav")
    assert memory < 6_000_000


def test_a_long_list_is_not_held_in_memory(source):
    class Endless(io.RawIOBase):
        read_bytes = 0

        def read(self, size):
            self.read_bytes += size
            return b"x" * 63 + b"\n" if size >= 64 else b""

    stream = Endless()
    rows = read_list(stream, null=False)
    for _ in range(3):
        next(rows)
    assert stream.read_bytes <= 4 * 65_536


def test_a_first_line_beyond_all_measure_is_refused_with_the_name_of_the_manifest(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("input," + "x" * 11_000_000)
    with pytest.raises(ConfigurationError, match=r"list\.csv .*first line cannot be read"):
        list(read_manifest(path, str(tmp_path)))
