"""``python -m proof.killing_cluster``: what ``proof.killing`` does, on a Dask cluster.

Killed are, at random, the scheduler, workers of the cluster, the processes that these have at work,
and the run; the first two are started again, as by whatever looks after a cluster. The laws are the
same.

Arguments: how many kills (default 60), and a seed.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from .killing import Harness, judge, kill, workers_of

__all__ = ["ClusterHarness", "main"]

_WORKERS = 2
_AT_MOST = 600  # seconds that a worker waits for a scheduler


class ClusterHarness(Harness):
    """Kills parts of a cluster too. To be closed."""

    def __init__(self, folder: Path, *, kills: int, seed: int, recordings: int = 40) -> None:
        super().__init__(folder, kills=kills, seed=seed, recordings=recordings, say=print)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._cluster = [self._start(number) for number in range(1 + _WORKERS)]
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep)
        self._keeper.start()

    def close(self) -> None:
        """End the cluster."""
        self._closing.set()
        self._keeper.join()
        for process in self._cluster:
            process.kill()
            process.wait()

    def _keep(self) -> None:
        """Start again what has ended: a worker does when its scheduler is gone."""
        while not self._closing.wait(0.1):
            for number, process in enumerate(self._cluster):
                if process.poll() is not None:
                    self._cluster[number] = self._start(number)

    def _options(self) -> list[str]:
        return ["--cluster", f"tcp://127.0.0.1:{self._port}"]

    def _at_work(self, _: subprocess.Popen[bytes]) -> list[int]:
        return [pid for worker in self._cluster[1:] for pid in workers_of(worker.pid)]

    def _strike(self, driver: subprocess.Popen[bytes]) -> bool:
        at_work, choice = self._at_work(driver), self._chance.random()
        if at_work and choice < 0.3:
            self.tally.workers_killed += kill(self._chance.choice(at_work))
            self._in_hand += 1
        elif choice < 0.8:
            number = self._chance.randrange(1 + _WORKERS)
            self._cluster[number].kill()
            self.tally.cluster_killed += 1
            self._in_hand += 1 if number else _WORKERS
        else:
            self._kill_driver(driver)
            return True
        return False

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        """Number 0 is the scheduler."""
        if number == 0:
            at = ("--host", "127.0.0.1", "--port", str(self._port))
            return self._serve("dask_scheduler", *at, "--dashboard-address", "127.0.0.1:0")
        address = f"tcp://127.0.0.1:{self._port}"
        options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1")
        patience = ("--death-timeout", str(_AT_MOST))
        folder = ("--local-directory", str(self._folder / "dask"))
        return self._serve("dask_worker", address, *options, *patience, *folder)

    def _serve(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments]
        journal = {"TENUTO_JOURNAL": str(self._folder / "journal of the workers")}
        silence = subprocess.DEVNULL
        return subprocess.Popen(command, stdout=silence, stderr=silence, env=os.environ | journal)


def main(arguments: list[str]) -> int:
    """The exit status."""
    return judge(
        lambda folder, kills, seed: ClusterHarness(folder, kills=kills, seed=seed), 60, arguments
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
