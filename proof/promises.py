"""``python -m proof.promises``: kill processes that share a journal; it keeps what it promised.

Writers, movers, a pruner and readers work on one journal. One of them after the other is killed
(SIGKILL) in the middle of what it does, and another of its kind takes its place. Each writes down
what it was promised in a file of its own. In the end the journal must hold exactly that.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from tenuto.capture import ErrorEvent, capture
from tenuto.journal import Attempt, Journal, Outcome, OutcomeStatus, Reader, open_journal

__all__ = ["main"]

_OF_A_KIND = 40  # errors of a group: 32 are kept whole, the others counted
_READER = Reader("sentry")
_PATIENCE = 120.0  # seconds until a process must have done something


class Told:
    """What one process says of itself: a file, which outlives it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1

    def begin(self) -> None:
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def say(self, *words: object) -> None:
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())

    def lines(self) -> list[list[str]]:
        # What was killed in the middle of a line has not said it.
        return [line.split() for line in self.path.read_text().split("\n")[:-1]]


def write(folder: Path, name: str, told: Told) -> None:
    """Append errors whole and as repeats, outcomes and attempts, for ever."""
    journal = Journal(folder)
    number = 0
    while True:
        kind = f"{name}-{number // _OF_A_KIND}"
        told.say("tried", kind)
        event = _error(kind, number)
        if journal.fold(event.fingerprint, event.context) is None:
            journal.append(event)
            told.say("event", event.id, kind)
        if number % 10 == 9:
            work = f"{name}-{number}"
            attempt = journal.open_attempt(Attempt(work=work, step="decode"))
            told.say("attempt", attempt)
            status = OutcomeStatus.ENHANCED
            journal.record(Outcome(input=work, output=None, status=status, errors=(event.id,)))
            told.say("outcome", work)
            journal.close_attempt(attempt, "succeeded")
            told.say("closed", attempt)
        if number % _OF_A_KIND == _OF_A_KIND - 1:
            journal.flush()
            told.say("counted", kind)
        if number % 70 == 69:
            journal.move()
        if number % 200 == 199:
            journal.close()  # begins another spool
        number += 1


def move(folder: Path, _name: str, told: Told) -> None:
    """Move spools into the archive, open it and let go of it, and prune, for ever."""
    while True:
        with open_journal(folder) as journal:
            for _ in range(20):
                told.say(journal.move().name)
            journal.prune()


def read(folder: Path, _name: str, told: Told) -> None:
    """Be told of everything, as a reader of the machine is, for ever."""
    with Journal(folder) as journal:
        while True:
            with journal.lease(_READER) as mine:
                batch = journal.read(_READER, limit=50) if mine else None
                for record in batch.records if batch else ():
                    if record.kind == "event":
                        told.say("told", record.body["id"])
                if batch and batch.records:
                    journal.advance(_READER, batch.position, batch.records)
            told.say("turn")


_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_Role = Callable[[Path, str, Told], None]

_ROLES: tuple[_Role, ...] = (write, write, move, read, read)
_WORDY = {write: 3000, move: 80, read: 400}  # bytes that one says before it is killed, at most


def _error(kind: str, number: int) -> ErrorEvent:
    return capture(ValueError(f"{kind} failed"), context={"fingerprint": kind, "number": number})


def _die_with(parent: int) -> None:
    """Have this process killed when its parent ends, however that ends; Linux only."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


class Arena:
    """The processes, and what all of them, dead or alive, have said."""

    def __init__(self, folder: Path) -> None:
        self.journal = folder / "journal"
        self.stories: list[Told] = []
        self._folder = folder
        self._alive: dict[int, tuple[_Role, Told]] = {}

    def start(self, role: _Role) -> None:
        name = f"p{len(self.stories)}"
        told = Told(self._folder / f"{name}.{role.__name__}")
        self.stories.append(told)
        told.path.touch()
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            _die_with(parent)
            try:
                told.begin()
                role(self.journal, name, told)
            finally:  # whatever happens, there is only one parent
                os._exit(1)
        self._alive[child] = role, told

    def kill(self, dice: random.Random) -> None:
        """Kill one, when it has done some more, and start another of its kind."""
        child = dice.choice(sorted(self._alive))
        role, told = self._alive[child]
        enough = told.path.stat().st_size + dice.randrange(1, _WORDY[role])
        end = time.monotonic() + _PATIENCE
        while told.path.stat().st_size < enough and self._is_alive(child):
            if time.monotonic() > end:
                sys.exit(f"{told.path.name} does nothing")
            time.sleep(dice.random() * 0.004)
        self.end(child)
        self.start(role)

    def end(self, child: int) -> None:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        _, told = self._alive.pop(child)
        if status != signal.SIGKILL:
            sys.exit(f"{told.path.name} ended by itself: status {status}")

    def end_all(self) -> None:
        for child in list(self._alive):
            self.end(child)

    @staticmethod
    def _is_alive(child: int) -> bool:
        return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def wrongs(arena: Arena) -> list[str]:
    """What the journal does not have as it was promised; empty where all is well."""
    said: defaultdict[str, list[str]] = defaultdict(list)
    for story in arena.stories:
        for words in story.lines():
            said[words[0]] += words[1:2]
            if words[0] == "event":
                said["whole"].append(words[2])
    found: list[str] = []
    with open_journal(arena.journal) as journal:
        found += journal.check()
        found += [f"drop: {reason}: {count}" for reason, count in journal.drops().items()]
        found += [f"loss: {reason}: {count}" for reason, count in journal.losses.items()]
        spools = arena.journal / "spools"
        found += [f"left behind: {left.name}" for left in spools.glob("*.db*")]

        writers = sum(story.path.suffix == ".write" for story in arena.stories)
        events = [event.id for event in journal.events(limit=1 << 30)]
        found += _differences("events", said["event"], events, writers)
        works = [outcome.input for outcome in journal.outcomes()]
        found += _differences("outcomes", said["outcome"], works, writers)
        attempts = {attempt.id: attempt for attempt in journal.attempts()}
        found += _differences("attempts", said["attempt"], list(attempts), writers)
        ended = {each for each in attempts if attempts[each].ended == "succeeded"}
        found += [f"attempts: the end of {each} is lost" for each in set(said["closed"]) - ended]

        tried, whole, counted = (Counter(said[name]) for name in ("tried", "whole", "counted"))
        counts = {group.message.split()[0]: group.count for group in journal.groups()}
        for kind, tries in tried.items():
            least = tries if kind in counted else whole[kind]
            if not least <= counts.get(kind, 0) <= tries:
                found.append(f"{kind}: {counts.get(kind, 0)}, and not {least} to {tries}")

        told = set(said["told"])
        while (batch := journal.read(_READER, limit=1000)).records:
            told |= {each.body["id"] for each in batch.records if each.kind == "event"}
            journal.advance(_READER, batch.position, batch.records)
        found += [f"the reader was never told of {each}" for each in set(said["event"]) - told]
    print(
        f"{len(events)} errors whole, {sum(counts.values())} in all, {len(works)} outcomes, "
        f"{len(attempts)} attempts"
    )
    return found


def _differences(what: str, promised: list[str], found: list[str], most: int) -> list[str]:
    wrong = [f"{what}: {each} is lost" for each in set(promised) - set(found)]
    wrong += [f"{what}: {each} is there {n} times" for each, n in Counter(found).items() if n > 1]
    if len(set(found) - set(promised)) > most:  # killed before it could be said: one for each
        wrong.append(f"{what}: there are more than anybody wrote")
    return wrong


def main(arguments: list[str] | None = None) -> int:
    """Kill, and look; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=250)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    options = parser.parse_args(arguments)
    dice = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="tenuto-promises-"))
    arena = Arena(folder)
    try:
        for role in _ROLES:
            arena.start(role)
        for _ in range(options.kills):
            arena.kill(dice)
    finally:
        arena.end_all()
    print(f"seed {options.seed}: {options.kills} kills, {len(arena.stories)} processes: ", end="")
    found = wrongs(arena)
    if found:
        print("\n".join([*found[:50], f"{len(found)} wrongs; all of it is in {folder}"]))
        return 1
    print("everything that was promised is there, once; the file is whole")
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
