"""``python -m proof.mutation``: change the machines, and see that a test fails for each change.

A change that no test can notice, because it makes no difference, has to be explained in
``equivalent.toml``. Ends with status 1 if there is a survivor that is not, or an explanation of
something that is no survivor. Arguments are the names of the machines to change; default: all.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .mutants import Mutant, mutants_of
from .trial import BROKEN, ROOT, begin, tests_for

__all__ = ["main"]

_MACHINES = ROOT / "src/tenuto/machines"
_EXPLAINED = Path(__file__).with_name("equivalent.toml")
_AT_ONCE = 2
_PATIENCE = 10  # times what the tests take when nothing is wrong
_LEAST_PATIENCE = 20.0  # seconds
_PAUSE = 0.005  # seconds


@dataclass
class _Trial:
    mutant: Mutant
    ends: float


def main(names: Sequence[str]) -> int:
    """Try all mutants of the machines called ``names``; the exit status."""
    sources = [
        source
        for source in sorted(_MACHINES.glob("*.py"))
        if source.stem != "__init__" and (not names or source.stem in names)
    ]
    tried = 0
    survivors: list[Mutant] = []
    for source in sources:
        begun, tests = time.monotonic(), tests_for(source)
        patience = max(_LEAST_PATIENCE, _PATIENCE * _time_of(tests))
        mutants = list(mutants_of(source))
        survived = list(_survivors(mutants, tests, patience))
        _time_of(tests)  # a test that broke meanwhile would have noticed everything
        tried += len(mutants)
        survivors += survived
        seconds = time.monotonic() - begun
        print(f"{source.stem}: {len(mutants)} mutants, {len(survived)} survive, {seconds:.0f} s")
    return _judge(survivors, tried, {source.stem for source in sources})


def _time_of(tests: Sequence[str]) -> float:
    """How long ``tests`` take while nothing is wrong, in seconds."""
    begun = time.monotonic()
    _, status = os.waitpid(begin(None, tests), 0)
    if status != 0:
        sys.exit(f"these fail as it is: {' '.join(tests)}")
    return time.monotonic() - begun


def _survivors(mutants: list[Mutant], tests: Sequence[str], patience: float) -> Iterator[Mutant]:
    waiting = iter(mutants)
    running: dict[int, _Trial] = {}
    while True:
        while len(running) < _AT_ONCE and (mutant := next(waiting, None)) is not None:
            running[begin(mutant, tests)] = _Trial(mutant, time.monotonic() + patience)
        if not running:
            return
        for child, trial in list(running.items()):
            if time.monotonic() > trial.ends:  # it runs in circles, which somebody would notice
                os.kill(child, signal.SIGKILL)
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                del running[child]
                if os.waitstatus_to_exitcode(status) == BROKEN:
                    sys.exit(f"this trial went wrong itself: {trial.mutant.key}")
                if status == 0:
                    yield trial.mutant
        time.sleep(_PAUSE)


def _judge(survivors: list[Mutant], tried: int, machines: set[str]) -> int:
    explained = {
        (each["where"], each["was"], each["now"])
        for each in tomllib.loads(_EXPLAINED.read_text()).get("equivalent", [])
        if each["where"].partition(".")[0] in machines
    }
    unexplained = [mutant for mutant in survivors if mutant.key not in explained]
    wrong = explained - {mutant.key for mutant in survivors}
    for mutant in unexplained:
        print(f"\nsurvives: {mutant.module}.py:{mutant.line}, in {mutant.where or 'the module'}")
        print(f"  - {mutant.was}\n  + {mutant.now}")
    for where, was, now in sorted(wrong):
        print(f"\nexplained, but it does not survive: {where}\n  - {was}\n  + {now}")
    equivalent = len(survivors) - len(unexplained)
    print(
        f"\n{tried} mutants: {tried - len(survivors)} noticed by a test, {equivalent} make no "
        f"difference, {len(unexplained)} unexplained"
    )
    return 1 if unexplained or wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
