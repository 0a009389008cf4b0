"""A scheduler and workers of a Dask cluster, as processes that can be killed one by one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

from tests.ports import free_port

START = 60  # seconds at most, for a machine with much else to do


class DaskServers:
    """Nothing runs until it is started. ``end`` kills what does."""

    def __init__(self, folder):
        self.port = free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self._folder = folder
        self.scheduler = None
        self.workers = []

    def start_scheduler(self, **environment):
        options = ("--host", "127.0.0.1", "--port", str(self.port), "--dashboard-address", ":0")
        self.scheduler = self._start("dask_scheduler", *options, **environment)
        for _ in range(START * 20):
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.05).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the scheduler did not start")

    def start_worker(self, **environment):
        """Without a nanny: one that is killed stays dead."""
        options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--death-timeout", str(START))
        folder = self._folder / f"worker-{len(self.workers)}"
        places = ("--local-directory", str(folder), "--host", "127.0.0.1")
        worker = self._start("dask_worker", self.address, *options, *places, **environment)
        self.workers.append(worker)
        return worker

    def _start(self, module, *arguments, **environment):
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def end(self):
        for process in (self.scheduler, *self.workers):
            if process is not None:
                process.kill()
                process.wait()
