"""Recordings that are listed: in a manifest, or on standard input."""

from __future__ import annotations

import io
import json
import os
import sys

import pytest

from tenuto.batch.inputs import BadRow
from tenuto.batch.manifest import read_list, read_manifest
from tenuto.errors import ConfigurationError

from .conftest import ledger_of
from .runs import Runs


@pytest.fixture
def runs(monkeypatch):
    return Runs(monkeypatch)


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
