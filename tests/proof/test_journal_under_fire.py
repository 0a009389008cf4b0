"""Short runs of the long proofs of the journal, and that they would notice."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from proof import promises, storm
from proof.trial import ROOT
from tenuto.capture import capture
from tenuto.journal import Journal


def run(module, *arguments):
    command = [sys.executable, "-m", f"proof.{module}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_dozen_kills_lose_nothing():
    assert "there, once; the file is whole" in run("promises", "--kills", 12, "--seed", 5)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_sixteen_threads_in_each_of_four_processes_are_counted_exactly(start):
    said = run("storm", "--errors", 6400, "--threads", 16, "--start", start)
    assert "counted 6400 in 1 group" in said


def test_a_storm_takes_no_more_memory_or_disk_the_longer_it_lasts():
    said = run("storm", "--errors", 20_000)
    assert "counted 20000 in 1 group" in said
    assert said.endswith("exact, and bounded\n")


@pytest.fixture
def arena(tmp_path):
    """A journal with one error in it, of which its writer has told."""
    made = promises.Arena(tmp_path)
    event = capture(ValueError("p0-0 failed"), context={"fingerprint": "p0-0"})
    with Journal(made.journal) as journal:
        journal.append(event)
    story = promises.Told(tmp_path / "p0.write")
    made.stories.append(story)
    story.begin()
    story.say("tried", "p0-0")
    story.say("event", event.id, "p0-0")
    return made


def test_the_proof_by_kills_finds_nothing_where_nothing_is_wrong(arena):
    assert promises.wrongs(arena) == []


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        ("event 123 p0-0", "events: 123 is lost"),
        ("outcome a.wav", "outcomes: a.wav is lost"),
        ("attempt 7", "attempts: 7 is lost"),
        ("closed 7", "attempts: the end of 7 is lost"),
        ("tried p0-1", None),  # killed in the middle of it
        ("counted p0-1\ntried p0-1", "p0-1: 0, and not 1 to 1"),
    ],
)
def test_the_proof_by_kills_misses_what_was_promised(arena, claim, wrong):
    arena.stories[0].say(claim)
    found = promises.wrongs(arena)
    assert (found == []) if wrong is None else (wrong in found)


def test_the_proof_by_kills_finds_what_is_there_twice():
    assert promises._differences("events", ["a"], ["a", "a"], 9) == ["events: a is there 2 times"]
    [wrong] = promises._differences("events", ["a"], ["a", "b", "c"], 1)
    assert wrong == "events: there are more than anybody wrote"


def test_the_proof_by_storm_finds_a_count_that_is_not_exact(tmp_path, monkeypatch):
    with Journal(tmp_path) as journal:
        journal.append(capture(ValueError("one more")))
    options = argparse.Namespace(errors=40, processes=2, threads=1, start="spawn")
    monkeypatch.setattr(storm, "MOST_DISK", 0)
    found = storm.wrongs(tmp_path, options)
    assert found[0].startswith("counted [40, 1]")
    assert found[1:] == ["the journal has grown with the number of errors"]
