"""What is an input, and what it becomes."""
# Names here may have stray bytes, links and dots that a Path would tidy away.
# ruff: noqa: PTH100, PTH103, PTH109, PTH120, PTH123, PTH211

from __future__ import annotations

import os
import subprocess

import pytest

from tenuto.batch.inputs import Input, Search, identity_of
from tenuto.batch.keys import Naming, folds_case
from tenuto.batch.ledger import Ledger
from tenuto.batch.planning import Planner
from tenuto.batch.sorting import in_order
from tenuto.batch.work import Work, check_outputs
from tenuto.errors import ConfigurationError

SUFFIXES = {".wav": ".wav", ".flac": ".flac", ".wma": ".flac"}


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Plans into ``out``, and gives pairs of paths from here."""
    monkeypatch.chdir(tmp_path)

    def make(*paths, output="out", folds=None, earlier=(), **settings):
        with Ledger.for_rehearsal(os.path.abspath(output)) as ledger:
            if folds is not None:
                ledger.naming = Naming(folds)
            for identity, place in earlier:
                ledger.db.execute(
                    "INSERT INTO outcomes (identity, key, status) VALUES (?, ?, 'enhanced')",
                    (os.path.abspath(identity), place),
                )
            ledger.is_new_folder(identity_of(output) or "")
            search = Search(SUFFIXES, ledger.is_new_folder)
            made = Planner(ledger, suffixes=SUFFIXES, **settings).plan(search.find(paths))
            check_outputs(ledger, strangers=False)
            make.last = made
            make.ignored = search.ignored
            return [
                (os.path.relpath(item.input), os.path.relpath(item.output)) for item in Work(ledger)
            ]

    return make


def touch(*names):
    for name in names:
        folder = os.path.dirname(name)
        if folder:
            os.makedirs(folder, exist_ok=True)
        with open(name, "w"):
            pass


def test_a_folder_stands_for_the_sound_files_below_it_in_the_order_of_their_names(plan):
    touch("in/b.wav", "in/a.FLAC", "in/z/deep/c.wav", "in/notes.txt", "in/z/cover.jpg")
    assert plan("in") == [
        ("in/a.FLAC", "out/a.FLAC"),
        ("in/b.wav", "out/b.wav"),
        ("in/z/deep/c.wav", "out/z/deep/c.wav"),
    ]
    assert plan.ignored == 2


def test_a_file_that_is_named_is_an_input_whatever_it_is_called(plan):
    touch("talk.dat")
    assert plan("talk.dat", "gone.wav") == [
        ("talk.dat", "out/talk.dat"),
        ("gone.wav", "out/gone.wav"),
    ]


def test_a_pattern_stands_for_what_it_matches(plan):
    touch("in/a.wav", "in/b.txt", "in/deep/c.wav")
    assert plan("in/**/*.wav") == [("in/a.wav", "out/a.wav"), ("in/deep/c.wav", "out/c.wav")]


def test_a_pattern_that_matches_nothing_is_accounted_for(plan):
    assert plan("in/*.wav") == [("in/*.wav", "out/*.wav")]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(plan):
    touch("take[1].wav", "take1.wav")
    assert plan("take[1].wav") == [("take[1].wav", "out/take[1].wav")]


def test_a_file_that_is_named_twice_is_done_once(plan):
    touch("in/a.wav")
    os.symlink("in", "link")
    assert plan("in", "in/a.wav", "./in/../in/a.wav", "link/a.wav") == [("in/a.wav", "out/a.wav")]
    assert plan.last.repeated == 3


def test_a_loop_of_links_ends(plan):
    touch("in/a.wav")
    os.symlink("..", "in/up")
    os.symlink("itself.wav", "in/itself.wav")
    assert [pair[0] for pair in plan("in")] == ["in/a.wav", "in/itself.wav"]


def test_very_deep_folders_are_read(plan):
    deep = "in/" + "d/" * 1500
    here = os.getcwd()
    for part in deep.split("/")[:-1]:
        os.makedirs(part, exist_ok=True)
        os.chdir(part)
    touch("a.wav")
    os.chdir(here)
    found = plan("in")
    subprocess.run(["rm", "-r", "in"], check=True)  # shutil.rmtree gives up at that depth
    assert found == [(f"{deep}a.wav", "out/" + "d/" * 1500 + "a.wav")]


def test_the_output_folder_is_not_read_back(plan):
    touch("a.wav", "out/a.wav", "out/old.wav")
    assert plan(".") == [("a.wav", "out/a.wav")]


def test_a_folder_that_is_called_like_a_sound_but_empty_is_accounted_for(plan):
    os.makedirs("in/x.wav")
    touch("in/live.wav/song.wav")
    assert [pair[0] for pair in plan("in")] == ["in/live.wav/song.wav", "in/x.wav"]


def test_two_inputs_for_one_output_get_two_outputs(plan):
    touch("in/a.wav", "in/a.flac", "more/a.wav", "third/a.wav")
    assert plan("in", "more", "third", suffix=".wav") == [
        ("in/a.flac", "out/a.wav"),
        ("in/a.wav", "out/a~2.wav"),
        ("more/a.wav", "out/a~3.wav"),
        ("third/a.wav", "out/a~4.wav"),
    ]
    assert plan.last.renamed == 3


def test_the_later_of_two_is_called_after_its_whole_name(plan):
    touch("a.wav", "a.flac")
    assert plan("a.wav", "a.flac", suffix=".wav") == [
        ("a.wav", "out/a.wav"),
        ("a.flac", "out/a.flac.wav"),
    ]


def test_a_format_that_cannot_be_written_becomes_another(plan):
    touch("a.WMA")
    assert plan("a.WMA") == [("a.WMA", "out/a.flac")]


def test_no_output_takes_the_name_of_the_ledger(plan):
    touch("outcomes.jsonl")
    assert plan("outcomes.jsonl", reserved=("outcomes.jsonl",)) == [
        ("outcomes.jsonl", "out/outcomes~2.jsonl")
    ]


def test_names_are_kept_from_one_run_to_the_next(plan):
    touch("in/a.wav", "more/a.wav")
    earlier = [("more/a.wav", "a.wav")]
    assert plan("in", "more", earlier=earlier) == [
        ("in/a.wav", "out/a~2.wav"),
        ("more/a.wav", "out/a.wav"),
    ]
    numbered = [("more/a.wav", "a~7.wav")]
    assert plan("more", earlier=numbered) == [("more/a.wav", "out/a~7.wav")]


def test_a_name_from_another_format_is_not_kept(plan):
    touch("a.wav")
    earlier = [("a.wav", "a.wav")]
    assert plan("a.wav", suffix=".flac", earlier=earlier) == [("a.wav", "out/a.flac")]


def test_no_output_replaces_an_input(plan):
    touch("a.wav")
    with pytest.raises(ConfigurationError, match=r"a\.wav would replace an input"):
        plan("a.wav", output=".")


def test_names_that_are_not_text_stay_what_they_are(plan):
    name = os.fsdecode(b"in/\xff\xfe.wav")
    touch(name)
    assert plan("in") == [(name, os.fsdecode(b"out/\xff\xfe.wav"))]


def test_names_that_differ_in_case_are_two_where_the_file_system_keeps_them_apart(plan):
    touch("in/A.wav", "in/a.wav")
    assert plan("in", folds=False) == [("in/A.wav", "out/A.wav"), ("in/a.wav", "out/a.wav")]


def test_names_that_differ_in_case_or_accents_get_two_outputs_where_it_does_not(plan):
    touch(
        "in/A.wav", "in/a.wav", "in/e\u0301.wav", "in/\u00e9.wav", "in/STRASSE.wav", "in/straße.wav"
    )
    found = plan("in", folds=True, reserved=("outcomes.jsonl",))
    assert len({naming_key(output) for _, output in found}) == len(found) == 6
    assert ("in/a.wav", "out/a~2.wav") in found
    assert plan.last.renamed == 3


def naming_key(place):
    return Naming(folds=True).key(place)


def test_thousands_of_one_name_get_their_numbers_without_a_search(plan):
    rows = [Input(f"/in/{n}/a.wav", "a.wav") for n in range(3000)]
    with Ledger.for_rehearsal("/nowhere") as ledger:
        Planner(ledger, suffixes=SUFFIXES).plan(rows)
        outputs = [item.output for item in Work(ledger)]
        asked = []
        ledger.db.set_trace_callback(asked.append)
        Planner(ledger, suffixes=SUFFIXES).plan([Input("/in/last/a.wav", "a.wav")])
    assert outputs[:2] + outputs[-1:] == [
        "/nowhere/a.wav",
        "/nowhere/a~2.wav",
        "/nowhere/a~3000.wav",
    ]
    assert len(asked) < 20


def test_a_hard_link_is_an_input_of_its_own(plan):
    touch("in/a.wav")
    os.link("in/a.wav", "in/b.wav")
    assert [pair[0] for pair in plan("in")] == ["in/a.wav", "in/b.wav"]


def test_the_search_can_be_broken_off(tmp_path):
    rows = (Input(f"/in/{n}.wav", f"{n}.wav") for n in range(10_000))
    with Ledger.for_rehearsal("/nowhere") as ledger:
        made = Planner(ledger, suffixes=SUFFIXES).plan(rows, lambda number: number < 4_000)
    assert (made.complete, made.inputs) == (False, 4_000)


def test_a_folder_too_long_to_sort_in_memory_is_in_order_all_the_same(monkeypatch):
    monkeypatch.setattr("tenuto.batch.sorting._MOST_IN_MEMORY", 3)
    names = [os.fsdecode(name) for name in (b"b", b"\xff", b"a", b"c\xe9", b"\xc3\xa9", b"C", b"d")]
    expected = sorted(((name, name == "a") for name in names), key=lambda n: os.fsencode(n[0]))
    assert list(in_order((name, name == "a") for name in names)) == expected


def test_where_case_counts_is_found_out_without_a_trace(tmp_path):
    here = folds_case(str(tmp_path / "not" / "there"))
    (tmp_path / "Probe").touch()
    assert here == (tmp_path / "pROBE").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["Probe"]
    assert not folds_case("/")
