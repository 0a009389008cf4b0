"""A process is killed at every line of the journal's code; what it was told is kept, is kept."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import pytest

import tenuto.journal
from tenuto.capture import capture
from tenuto.clock import SimulatedClock
from tenuto.journal import Attempt, Journal, Outcome, Reader, open_journal
from tests.thoroughness import REPEATABLE, examples

HERE = str(Path(tenuto.journal.__file__).parent)
READER = Reader("sentry")
SHARE = 300  # of so many places, the short run tries one; the long one, thirty


class Life:
    """What a process does until it is killed, and a file of what it has been promised."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.promises = folder.with_name("promises")
        self.clock = SimulatedClock()

    def say(self, *words: object) -> None:
        with self.promises.open("a") as file:
            file.write(" ".join(map(str, words)) + "\n")

    def error(self, number: int, kind: str):
        context = {"number": number, "fingerprint": kind}
        return capture(ValueError(f"{kind} failed"), context=context, clock=self.clock)

    def live(self) -> None:
        for day in range(2):
            with open_journal(self.folder, clock=self.clock) as journal:
                self.whole(journal, day)
                self.repeats(journal, f"storm-{day}")
                self.read(journal)
            self.clock.advance(3600)
        with Journal(self.folder, clock=self.clock) as journal:
            journal.prune()
            self.whole(journal, 2)

    def whole(self, journal: Journal, day: int) -> None:
        for number in range(3):
            event = self.error(number, "rare")
            journal.append(event)
            self.say("event", event.id)
            journal.record(Outcome(input=f"{day}-{number}", output=None, status="degraded"))
            self.say("outcome", f"{day}-{number}")
            attempt = journal.open_attempt(Attempt(work=f"{day}-{number}", step="decode"))
            self.say("attempt", attempt)
            journal.close_attempt(attempt, "failed", event.id)
            self.say("closed", attempt)

    def repeats(self, journal: Journal, kind: str) -> None:
        for number in range(36):
            self.say("tried", kind, number + 1)
            event = self.error(number, kind)
            if journal.fold(event.fingerprint, event.context) is None:
                journal.append(event)
                self.say("event", event.id)
        journal.flush()
        self.say("counted", kind, 36)

    def read(self, journal: Journal) -> None:
        journal.move()
        with journal.lease(READER) as mine:
            assert mine
            while (batch := journal.read(READER, limit=20)).records:
                for record in batch.records:
                    if record.kind == "event":
                        self.say("told", record.body["id"])
                journal.advance(READER, batch.position, batch.records)


def die_at(line: int, life: Life) -> int | None:
    """Live in a forked child, which kills itself at the ``line``-th line it comes to; its status.

    None if it lived to the end.
    """
    child = os.fork()
    if child == 0:
        try:
            count = 0

            def trace(frame, what, _):
                nonlocal count
                if not frame.f_code.co_filename.startswith(HERE):
                    return None
                if what == "line":
                    count += 1
                    if count == line:
                        os.kill(os.getpid(), signal.SIGKILL)
                return trace

            sys.settrace(trace)
            life.live()
            sys.settrace(None)
            life.say("lines", count)
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert status in {0, signal.SIGKILL}, "it must not fail, whenever it dies"
    return None if status == 0 else status


def promised(life: Life) -> dict[str, list[str]]:
    kept: dict[str, list[str]] = {}
    for line in life.promises.read_text().splitlines() if life.promises.exists() else []:
        kind, _, rest = line.partition(" ")
        kept.setdefault(kind, []).append(rest)
    return kept


def check(life: Life) -> None:
    """All that was promised is there, once, and the journal is in order."""
    said = promised(life)
    with open_journal(life.folder, clock=life.clock) as journal:
        assert journal.check() == []
        assert journal.drops() == {}
        assert journal.losses == {}
        assert not list((life.folder / "spools").glob("*.db*"))

        found = [event.id for event in journal.events(limit=1000)]
        assert len(found) == len(set(found))
        assert set(said.get("event", [])) <= set(found)
        assert_once(said.get("outcome", []), [each.input for each in journal.outcomes()])
        attempts = {each.id: each for each in journal.attempts()}
        assert_once(said.get("attempt", []), list(attempts))
        for closed in said.get("closed", []):
            assert attempts[closed].ended == "failed"

        counts = {group.fingerprint: group.count for group in journal.groups()}
        by_kind = {
            event.context["fingerprint"]: counts[event.fingerprint]
            for event in journal.events(limit=1000)
        }
        for kind in ("storm-0", "storm-1"):
            tried = [int(word.split()[1]) for word in said.get("tried", []) if kind in word]
            counted = [int(word.split()[1]) for word in said.get("counted", []) if kind in word]
            assert max(counted, default=0) <= by_kind.get(kind, 0) <= max(tried, default=0)

        told = set(said.get("told", []))
        while (batch := journal.read(READER)).records:
            told |= {each.body["id"] for each in batch.records if each.kind == "event"}
            journal.advance(READER, batch.position, batch.records)
        assert set(said.get("event", [])) <= told

        event = life.error(99, "after")
        journal.append(event)
        assert journal.event(event.id) == event


def assert_once(promised: list[str], found: list[str]) -> None:
    assert len(found) == len(set(found))
    assert set(promised) <= set(found)
    assert len(found) - len(promised) <= 1  # written, and killed before it could be said


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """How many lines a whole life has."""
    life = Life(tmp_path_factory.mktemp("life") / "journal")
    assert die_at(0, life) is None
    check(life)
    [count] = promised(life)["lines"]
    return int(count)


def test_killed_at_any_line_it_keeps_every_promise(lines, tmp_path):
    assert lines > 5000
    step = SHARE // examples(1)
    first = 1 + random.Random(5 if REPEATABLE else None).randrange(step)
    for line in range(first, lines, step):
        life = Life(tmp_path / str(line) / "journal")
        life.folder.parent.mkdir()
        assert die_at(line, life) == signal.SIGKILL
        check(life)
