"""``python -m proof.killing``: kill runs and their workers at random, and see that nothing is lost.

A run over a folder of small recordings is started again and again, and either it or one of its
workers is killed (SIGKILL) at some moment, until there have been enough kills; each time a folder
is done, another is begun. In between and at the end it is checked that

- an output that the ledger knows is whole, and stays the very file it was: it is not made again;
- nothing is done again but what was in hand when something was killed;
- in the end every input has one outcome, and the recordings that are whole are enhanced;
- no draft is left, and no process.

Arguments: how many kills (default 200), and a seed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from tenuto.audio.codec import decode
from tenuto.audio.output import is_draft
from tenuto.batch.ledger.asking import Outcomes, Question
from tenuto.errors import ConfigurationError
from tenuto.journal import Outcome, OutcomeStatus, open_journal

__all__ = ["BrokenLawError", "Harness", "Tally", "judge", "kill", "main", "workers_of"]

_RATE = 16_000
_PLACES = 2
_LONGEST_PAUSE = 2.5  # seconds between two kills
_MIDST = 0.8  # of the kills come when there are workers, the rest at any moment
_LOOK = 0.02  # seconds
_LIMIT = 600.0  # seconds, for what ends by itself
_FINISHED = (0, 1)  # exit statuses of a run that has come to its end


@dataclass(slots=True)
class Tally:
    """What was done, and what had to be done again."""

    runs: int = 0
    folders: int = 0
    workers_killed: int = 0
    drivers_killed: int = 0
    cluster_killed: int = 0
    """Schedulers, and workers of a cluster."""
    done_again: int = 0
    statuses: Counter[str] = field(default_factory=Counter)

    @property
    def kills(self) -> int:
        """All of them."""
        return self.workers_killed + self.drivers_killed + self.cluster_killed


class BrokenLawError(AssertionError):
    """A law does not hold."""


class Harness:
    """Kills. ``folder`` is made and left behind; ``say`` is told how it gets on."""

    def __init__(
        self,
        folder: Path,
        *,
        kills: int,
        seed: int,
        recordings: int = 40,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._kills = kills
        self._chance = random.Random(seed)
        self._say = say
        self._journal = folder / "journal"
        self._frames: dict[str, int] = {}
        self._inputs = self._make_inputs(folder / "in", recordings)
        self._output = folder / "out"
        self._known: dict[str, tuple[int, int]] = {}
        self._in_hand = 0
        self.tally = Tally()

    def run(self) -> Tally:
        """Kill until it is enough, and let the last folder be done. Raises ``BrokenLawError``."""
        while self.tally.kills < self._kills:
            self._one_folder()
            self.tally.folders += 1
            self._say(f"{self.tally.kills} kills, {self.tally.folders} folders done")
        return self.tally

    def close(self) -> None:
        """Nothing that it started goes on: each run has ended."""

    def _one_folder(self) -> None:
        self._output = self._folder / f"out {self.tally.folders}"
        self._journal = self._folder / f"journal {self.tally.folders}"
        self._known.clear()
        self._in_hand = 0
        while not self._one_run():
            pass
        self._check_the_end()

    def _one_run(self) -> bool:
        """Whether it came to its end."""
        self.tally.runs += 1
        with self._driver() as driver:
            while self.tally.kills < self._kills:
                if not self._is_time_to_kill(driver):
                    break
                if self._strike(driver):
                    self._check_what_is_done()
                    return False
            status = driver.wait(_LIMIT)
        self._check_what_is_done()
        if status not in _FINISHED and status != 2:  # 2: its workers were killed too often
            raise BrokenLawError(f"a run ended with status {status}: {driver.stderr}")
        return status in _FINISHED

    def _strike(self, driver: subprocess.Popen[bytes]) -> bool:
        """Kill something; whether it was the run itself."""
        workers = self._at_work(driver)
        if workers and self._chance.random() < 0.6:
            self.tally.workers_killed += kill(self._chance.choice(workers))
            self._in_hand += 1
            return False
        self._kill_driver(driver)
        _wait_for_the_end_of(workers)
        return True

    def _kill_driver(self, driver: subprocess.Popen[bytes]) -> None:
        driver.kill()
        driver.wait()
        self.tally.drivers_killed += 1
        self._in_hand += _PLACES

    @contextmanager
    def _driver(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "tenuto", "enhance", str(self._folder / "in")]
        options = ["-o", str(self._output), "--ladder", "basic", "--meter", "none", "-q"]
        options += ["--jobs", str(_PLACES), "--journal", str(self._journal), *self._options()]
        driver = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
        try:
            yield driver
        finally:
            driver.kill()
            driver.wait()

    def _at_work(self, driver: subprocess.Popen[bytes]) -> list[int]:
        """The processes that have recordings in hand."""
        return workers_of(driver.pid)

    def _options(self) -> list[str]:
        return []

    def _is_time_to_kill(self, driver: subprocess.Popen[bytes]) -> bool:
        """Wait until the next kill is due; False if the run came to its end first."""
        if self._chance.random() < _MIDST:
            until = time.monotonic() + _LIMIT
            while not self._at_work(driver):
                if _ends_within(driver, _LOOK):
                    return False
                if time.monotonic() > until:
                    raise BrokenLawError(f"nobody has been at work for {_LIMIT} s")
        return not _ends_within(driver, self._chance.uniform(0, _LONGEST_PAUSE))

    def _make_inputs(self, folder: Path, number: int) -> list[Path]:
        """Recordings from a blink to half a minute; every tenth is none."""
        folder.mkdir(parents=True)
        paths = []
        for index in range(number):
            path = folder / f"{index}.{('wav', 'flac')[index % 2]}"
            paths.append(path)
            if index % 10 == 9:
                path.write_text(f"no sound, number {index}")
                continue
            length = int(_RATE * self._chance.uniform(0.3, 30))
            time = np.arange(length) / _RATE
            voice = 0.3 * np.sin(2 * np.pi * 220 * time) * (np.sin(2 * np.pi * 3 * time) > 0)
            noise = np.random.default_rng(index).normal(0, 0.02, length)
            soundfile.write(path, voice + noise, _RATE)
            self._frames[path.stem] = length
        return paths

    def _check_what_is_done(self) -> None:
        """What the ledger says is written is whole, and is the file that it was before."""
        for outcome in self._outcomes():
            if outcome.output is None:
                continue
            status = Path(outcome.output).stat()
            what = (status.st_ino, status.st_mtime_ns)
            if self._known.setdefault(outcome.output, what) != what:
                raise BrokenLawError(f"{outcome.output} was finished, and has been written again")
            if decode(outcome.output).frames != self._frames[Path(outcome.output).stem]:
                raise BrokenLawError(f"{outcome.output} is not whole")

    def _check_the_end(self) -> None:
        lines = (self._output / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()
        told = Counter(json.loads(line)["input"] for line in lines)
        if told != Counter(str(path) for path in self._inputs):
            raise BrokenLawError(f"inputs and outcomes differ: {told}")
        for outcome in self._outcomes():
            self.tally.statuses[outcome.status] += 1
            if outcome.status is OutcomeStatus.ENHANCED and outcome.tier != "basic":
                raise BrokenLawError(f"{outcome.input} is not enhanced by {outcome.tier}")
            if Path(outcome.input).stem not in self._frames:
                if outcome.status is not OutcomeStatus.QUARANTINED:
                    raise BrokenLawError(f"{outcome.input} is no recording, and {outcome.status}")
            elif outcome.status is OutcomeStatus.QUARANTINED:
                raise BrokenLawError(f"{outcome.input} was quarantined: {outcome.reason}")
        left = [str(path) for path in self._output.rglob("*") if is_draft(path.name)]
        if left:
            raise BrokenLawError(f"left behind: {left}")
        with open_journal(self._journal) as journal:
            again = len(journal.outcomes()) - len(self._inputs)
        if again > self._in_hand:
            raise BrokenLawError(f"{again} done again, and {self._in_hand} can have been in hand")
        self.tally.done_again += max(0, again)

    def _outcomes(self) -> list[Outcome]:
        try:
            with Outcomes(str(self._output)) as outcomes:
                return [entry.outcome for entry in outcomes.find(Question())]
        except ConfigurationError:  # killed before there was a ledger
            return []


def _ends_within(driver: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        driver.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def workers_of(pid: int) -> list[int]:
    """The processes in which ``pid`` has its work done."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            continue
        if parent == pid and b"spawn_main" in command:
            found.append(int(entry.name))
    return sorted(found)


def kill(pid: int) -> int:
    """Whether there was something to kill, as a number."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


def _wait_for_the_end_of(pids: list[int]) -> None:
    """Workers of a run that is gone end by themselves."""
    ends = time.monotonic() + _LIMIT
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > ends:
            raise BrokenLawError(f"of the workers {pids} some go on")
        time.sleep(_LOOK)


def judge(make: Callable[[Path, int, int], Harness], kills: int, arguments: list[str]) -> int:
    """Let a harness of this many ``kills`` run, unless ``arguments`` say otherwise; the status.

    ``make`` gets its folder, the number of kills and a seed.
    """
    kills = int(arguments[0]) if arguments else kills
    seed = int(arguments[1]) if arguments[1:] else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    folder = Path(tempfile.mkdtemp(prefix="tenuto-killing-"))
    try:
        with closing(make(folder, kills, seed)) as harness:
            tally = harness.run()
    except BrokenLawError as broken:
        print(f"BROKEN: {broken}\nwhat is left is in {folder}")
        return 1
    shutil.rmtree(folder)
    statuses = ", ".join(f"{count} {status}" for status, count in tally.statuses.items())
    cluster = f"{tally.cluster_killed} schedulers and cluster workers, "
    print(
        f"{cluster if tally.cluster_killed else ''}{tally.workers_killed} workers and "
        f"{tally.drivers_killed} runs killed, in {tally.runs} runs over {tally.folders} folders: "
        f"every input has one outcome ({statuses}), "
        f"every output is whole, none was written twice, {tally.done_again} in hand were done again"
    )
    return 0


def main(arguments: list[str]) -> int:
    """The exit status."""
    return judge(
        lambda folder, kills, seed: Harness(folder, kills=kills, seed=seed, say=print),
        200,
        arguments,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
