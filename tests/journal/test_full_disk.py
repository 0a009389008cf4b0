"""A disk that is full: the program goes on, nothing is lost before the memory is full as well."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

from tenuto.journal import Journal, Outcome, open_journal
from tenuto.journal.writer import RING_FULL

FILLING = 300  # errors that a small disk has no room for


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB."""
    where = tmp_path / "small"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(where)]
    try:
        done = subprocess.run(mount, check=False, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("mounting a small disk is not allowed here")
    try:
        yield where
    finally:
        subprocess.run(["umount", str(where)], check=True)


def fill(where):
    """Take all the room there is."""
    ballast = where / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 512):
                pass
        except OSError:
            return ballast


def numbers(journal):
    return sorted(told.context["number"] for told in journal.events(limit=100_000))


def test_what_a_full_disk_does_not_take_is_kept_until_it_does(small_disk, clock, event):
    with Journal(small_disk / "journal", clock=clock) as journal:
        for number in range(20):
            journal.append(event(number=number))
        assert len(journal.events()) == 20
        ballast = fill(small_disk)
        for number in range(20, FILLING):
            journal.append(event(number=number))
        journal.record(Outcome(input="a", output=None, status="degraded"))
        assert numbers(journal) == list(range(FILLING))  # disk and memory seen as one
        assert any("full" in reason for reason in journal.losses)
        assert RING_FULL not in journal.losses

        ballast.unlink()
        clock.advance(1.0)
        journal.flush()
        assert journal._writer.ring() == []
        journal.close()
    with open_journal(small_disk / "journal", clock=clock) as journal:
        assert numbers(journal) == list(range(FILLING))
        assert journal.groups()[0].count == FILLING
        assert len(journal.outcomes()) == 1
        assert any("full" in reason for reason in journal.drops())
        assert journal.check() == []


def test_what_even_the_memory_cannot_hold_is_counted(small_disk, clock, event, monkeypatch):
    monkeypatch.setattr("tenuto.journal.writer._RING", 100)
    with Journal(small_disk / "journal", clock=clock) as journal:
        journal.append(event(number=0))
        journal.groups()
        ballast = fill(small_disk)
        for number in range(1, FILLING):
            journal.append(event(number=number))
        ballast.unlink()
        clock.advance(1.0)
        kept = numbers(journal)
        lost = journal.losses[RING_FULL]
        assert lost > 0
        assert len(kept) + lost == FILLING
        assert kept[-100:] == list(range(FILLING - 100, FILLING))  # the newest are kept
    with open_journal(small_disk / "journal", clock=clock) as journal:
        assert journal.drops()[RING_FULL] == lost
        assert numbers(journal) == kept
        assert journal.check() == []


def test_a_disk_that_was_full_from_the_start(small_disk, clock, event):
    ballast = fill(small_disk)
    with open_journal(small_disk / "journal", clock=clock) as journal:
        for number in range(30):
            journal.append(event(number=number))
        assert numbers(journal) == list(range(30))
        ballast.unlink()
        clock.advance(1.0)
    with open_journal(small_disk / "journal", clock=clock) as journal:
        assert numbers(journal) == list(range(30))


def test_repeats_are_counted_while_there_is_no_room(small_disk, clock, event):
    with Journal(small_disk / "journal", clock=clock) as journal:
        ballast = fill(small_disk)
        for number in range(5000):
            told = event(number=number)
            if journal.fold(told.fingerprint, told.context) is None:
                journal.append(told)
        assert journal.groups()[0].count == 5000
        ballast.unlink()
        clock.advance(1.0)
    with open_journal(small_disk / "journal", clock=clock) as journal:
        assert journal.groups()[0].count == 5000
        assert len(journal.events(limit=100)) == 32


LIMITED = """
    import json, resource, signal, sys
    from tenuto.capture import capture
    from tenuto.clock import SimulatedClock
    from tenuto.journal import Journal
    clock = SimulatedClock()
    journal = Journal(sys.argv[1], clock=clock)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
    for number in range(400):
        journal.append(capture(ValueError("stop"), context={"number": number}, clock=clock))
    journal.flush()
    seen = len(journal.events(limit=10_000))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    clock.advance(1.0)
    journal.flush()
    again = len(journal.events(limit=10_000))
    print(json.dumps([seen, again, len(journal._writer.ring()), dict(journal.losses)]))
    """


def test_a_limit_to_the_size_of_files_is_a_full_disk_too(private_journal):
    command = [sys.executable, "-c", textwrap.dedent(LIMITED), str(private_journal)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seen, again, waiting, losses = json.loads(done.stdout)
    assert (seen, again, waiting) == (400, 400, 0)
    assert any("disk" in reason or "full" in reason for reason in losses)
    with open_journal(private_journal) as journal:
        assert journal.groups()[0].count == 400
        assert sum(journal.drops().values()) >= 1
