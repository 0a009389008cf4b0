"""How long is too long, and what can still be read of a process that is gone."""

from __future__ import annotations

import faulthandler
import os

import pytest

from tenuto.batch.watchdog import Notes, Patience, Watchdog, read_notes
from tenuto.clock import SimulatedClock


@pytest.fixture
def limits(monkeypatch):
    """The limits that were set, in order, on a process that is not ended for real."""
    found = []
    monkeypatch.setattr(
        faulthandler,
        "dump_traceback_later",
        lambda limit, **how: found.append((limit, how["exit"])),
    )
    monkeypatch.setattr(faulthandler, "cancel_dump_traceback_later", lambda: found.append(None))
    monkeypatch.setattr(faulthandler, "enable", lambda file: None)
    monkeypatch.setattr(os, "dup2", lambda old, new: new)
    return found


@pytest.fixture
def clock():
    return SimulatedClock()


@pytest.fixture
def dog(tmp_path, clock, limits):
    watchdog = Watchdog(tmp_path / "notes.txt", Patience(10.0, 2.0), clock)
    yield watchdog
    watchdog._file.close()
    os.close(watchdog._words)


def test_the_limit_grows_with_the_piece_of_work(dog, limits):
    dog.watch(30.0)
    assert limits == [(70.0, True)]


def test_to_load_libraries_there_is_time_whatever_the_patience(dog, limits):
    dog.watch_start()
    dog.watch(0.0)
    assert limits == [(300.0, True), (10.0, True)]


def test_a_model_has_that_time_too_and_more_where_the_sound_is_long(dog, limits):
    dog.watch_start(30.0)
    dog.watch_start(1_000.0)
    assert limits == [(300.0, True), (2_010.0, True)]


def test_each_piece_begins_anew_so_that_only_a_stall_is_too_long(dog, limits, clock):
    for _ in range(100):
        dog.watch(5.0)
        clock.advance(19.0)
    assert limits == [(20.0, True)] * 100


def test_pieces_that_follow_each_other_fast_are_watched_together(dog, limits, clock):
    for _ in range(1_000):
        dog.watch(0.1)
        clock.advance(0.01)
    assert 8 <= len(limits) <= 11


def test_a_small_piece_after_a_large_one_has_the_small_limit(dog, limits):
    dog.watch(1_000.0)
    dog.watch(1.0)
    assert limits == [(2_010.0, True), (12.0, True)]


def test_between_recordings_nothing_is_late(dog, limits, tmp_path):
    dog.watch(1.0)
    os.write(dog._words, b"MemoryError")
    assert read_notes(tmp_path / "notes.txt").starved
    dog.rest()
    assert limits[-1] is None
    assert not read_notes(tmp_path / "notes.txt").starved
    dog.watch(1.0)
    assert limits[-1] == (12.0, True)


def test_who_was_killed_from_outside_has_left_no_notes(tmp_path):
    assert read_notes(tmp_path / "none.txt") == Notes()
    (tmp_path / "empty.txt").touch()
    assert read_notes(tmp_path / "empty.txt") == Notes()


@pytest.mark.parametrize(
    "words",
    [
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "memory allocation of 8000000000 bytes failed",
        "numpy.core._exceptions._ArrayMemoryError: Unable to allocate",
        "onnxruntime: Failed to allocate: Out of memory",
        "fork: Cannot allocate memory",
        "OpenBLAS error: Memory allocation still failed after 10 retries, giving up.",
    ],
)
def test_the_last_words_tell_of_too_little_memory(tmp_path, words):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "notes.words").write_text("[mp3] header missing\n" * 9_999 + words)
    notes = read_notes(tmp_path / "notes.txt")
    assert notes.starved
    assert notes.words == words


def test_other_complaints_do_not(tmp_path):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "notes.words").write_bytes(b"MemoryError, long ago\n" + b"\xff\n" * 9_999)
    assert not read_notes(tmp_path / "notes.txt").starved
