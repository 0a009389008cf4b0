"""What is an input, and what it becomes."""
# Names here may have stray bytes, links and dots that a Path would tidy away.
# ruff: noqa: PTH100, PTH103, PTH109, PTH120, PTH123, PTH207, PTH208, PTH211

from __future__ import annotations

import os
import subprocess
import tracemalloc
from glob import glob
from itertools import chain, islice, product

import pytest

from tenuto.batch.ledger.keys import Naming, folds_case
from tenuto.batch.ledger.ledger import Ledger
from tenuto.batch.planning import Planner
from tenuto.batch.sources.folders import OutputFolder
from tenuto.batch.sources.inputs import Input, Search
from tenuto.batch.sources.patterns import Matches, Pattern, is_pattern
from tenuto.batch.sources.sorting import Sorter
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
            search = Search(SUFFIXES, ledger.is_new_folder, ledger.folder)
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


def test_a_pattern_does_not_take_the_results_of_the_last_run(plan):
    touch("a.wav", "deep/b.wav", "enhanced/a.wav", "enhanced/deep/b.wav")
    expected = [("a.wav", "enhanced/a.wav"), ("deep/b.wav", "enhanced/b.wav")]
    assert plan("**/*.wav", output="enhanced") == expected
    assert plan("*/*.wav", output="enhanced") == expected[1:]
    assert plan("*", output="enhanced") == expected


def test_a_pattern_does_not_take_them_by_another_name_either(plan):
    touch("raw/a.wav", "out/a.wav", "out/deep/b.wav")
    os.symlink("../out/deep", "raw/link")
    os.symlink("out", "results")
    expected = [("raw/a.wav", "out/a.wav")]
    assert plan("raw/**/*.wav") == expected
    assert plan("**/*.wav", output="results") == [("raw/a.wav", "results/a.wav")]
    assert plan("raw") == expected
    assert plan("raw/*/*.wav") == [("raw/*/*.wav", "out/*.wav")]


def test_a_pattern_that_begins_below_the_output_folder_is_taken_at_its_word(plan):
    touch("out/raw/a.wav", "out/raw/deep/b.wav", "out/raw[2]/c.wav")
    assert plan("out/raw/*.wav") == [("out/raw/a.wav", "out/a.wav")]
    assert plan("out/raw") == [
        ("out/raw/a.wav", "out/a.wav"),
        ("out/raw/deep/b.wav", "out/deep/b.wav"),
    ]
    os.symlink("out/raw", "link")
    assert plan("link/**/b.wav") == [("link/deep/b.wav", "out/b.wav")]


def test_brackets_in_the_name_of_the_working_directory_are_no_pattern(plan, monkeypatch):
    touch("set[1]/a.wav", "set1/other.wav")
    monkeypatch.chdir("set[1]")
    assert plan("*.wav") == [("a.wav", "out/a.wav")]
    assert plan("./*.wav", "../set1/o*.wav") == [
        ("a.wav", "out/a.wav"),
        ("../set1/other.wav", "out/other.wav"),
    ]


def test_patterns_match_what_they_match_in_a_shell(plan):
    touch("in/a.wav", "in/.hidden.wav", "in/.cache/b.wav", "in/x/c.wav", "in/x/y/d.wav", "in/b.mp3")

    def matched(pattern):
        return [name.removeprefix("in/") for name, _ in plan(pattern)]

    assert matched("in/*.wav") == ["a.wav"]
    assert matched("in/.*.wav") == [".hidden.wav"]
    assert matched("in/**/*.wav") == ["a.wav", "x/c.wav", "x/y/d.wav"]
    assert matched("in/*/*.wav") == ["x/c.wav"]
    assert matched("in/.c*/*.wav") == [".cache/b.wav"]
    assert matched("in/**/y/?.wav") == ["x/y/d.wav"]
    assert matched("in/[!a].mp3") == ["b.mp3"]
    assert matched("in/x/**/d.wav") == ["x/y/d.wav"]
    assert matched(os.path.abspath("in") + "/*/y/d.wav") == ["x/y/d.wav"]


def test_patterns_match_what_glob_matches_in_the_order_of_their_names(tmp_path):
    touch(*(tmp_path / name for name in ("a.wav", "a/b.wav", "a/a/x", "a-b/a/a.wav", "a b/.a/a")))
    touch(*(tmp_path / name for name in (".a/a.wav", "b[1]/a", "b1/a/b1/a", "a/b1/b.wav/a")))
    os.symlink("nowhere", tmp_path / "a" / "gone.wav")
    parts = ["*", "**", "a", "a*", "?", "*.wav", ".a", ".*", "b[[]1]", "b[1]", "**.wav"]
    with Sorter() as sorter:
        for some in chain.from_iterable(product(parts, repeat=number) for number in (1, 2, 3)):
            pattern = str(tmp_path.joinpath(*some))
            if not is_pattern(pattern):
                continue
            seen = set()
            matches = Matches(
                Pattern(pattern),
                sorter,
                OutputFolder("/nowhere"),
                lambda folder, seen=seen: folder not in seen and not seen.add(folder),
            )
            # Of a file, glob says that ** below it matches, which is nothing that is there.
            there = filter(os.path.lexists, glob(pattern, recursive=True))
            assert list(matches) == sorted(set(map(os.path.normpath, there))), pattern


def test_a_pattern_over_a_loop_of_links_ends_and_matches_each_file_once(plan):
    touch("in/a.wav", "in/deep/b.wav")
    os.symlink("..", "in/deep/up")
    assert [pair[0] for pair in plan("in/**/*.wav", "in/**/b.*")] == ["in/a.wav", "in/deep/b.wav"]
    assert plan.last.repeated == 1


@pytest.mark.parametrize("given", ["in", "in/*", "in/**/*.wav", "in/*/*.wav"])
def test_memory_does_not_grow_with_the_number_of_folders_or_files(monkeypatch, tmp_path, given):
    monkeypatch.setattr("tenuto.batch.sources.sorting._MOST_IN_MEMORY", 100, raising=False)
    monkeypatch.setattr("tenuto.batch.sources.sorting._PAGE", 100, raising=False)
    for n in range(1500):
        touch(tmp_path / f"in/recording-{n:06}/take.wav")

    def most(number):
        search = Search(SUFFIXES, lambda _: True, "/nowhere")
        tracemalloc.start()
        try:
            found = sum(1 for _ in islice(search.find([tmp_path / given]), number))
            return found, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    most(1)
    found, memory = most(None)
    assert found == 1500
    assert memory < 70_000


def test_however_deep_and_full_folders_are_few_files_are_open(monkeypatch, tmp_path):
    monkeypatch.setattr("tenuto.batch.sources.sorting._MOST_IN_MEMORY", 4)
    monkeypatch.setattr("tenuto.batch.sources.sorting._SHORT", 2)
    folder = tmp_path
    for _ in range(60):
        for name in "abcdefgz":
            touch(folder / name / f"{name}.wav")
        folder /= "z"
    expected = 60 * 8
    for given in (tmp_path, tmp_path / "**" / "*.wav"):
        before, seen = len(os.listdir("/dev/fd")), 0
        for _ in Search(SUFFIXES, lambda _: True, "/nowhere").find([given]):
            seen += 1
            assert len(os.listdir("/dev/fd")) <= before + 3
        assert seen == expected


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
    monkeypatch.setattr("tenuto.batch.sources.sorting._MOST_IN_MEMORY", 3)
    monkeypatch.setattr("tenuto.batch.sources.sorting._SHORT", 2)
    names = [b"b", b"\xff", b"a", b"c\xe9", b"\xc3\xa9", b"C", b"d"]
    with Sorter() as sorter:
        one, other = sorter.in_order(names), sorter.in_order(name + b"2" for name in names)
        assert [next(one), next(other), *one] == [b"C", b"C2", *sorted(names)[1:]]
        assert list(other) == [name + b"2" for name in sorted(names)[1:]]


def test_where_case_counts_is_found_out_without_a_trace(tmp_path):
    here = folds_case(str(tmp_path / "not" / "there"))
    (tmp_path / "Probe").touch()
    assert here == (tmp_path / "pROBE").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["Probe"]
    assert not folds_case("/")
