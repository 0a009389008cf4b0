"""Bugsink, a second real server of Sentry's protocol, on a free port of loopback.

It is big, and wants other versions of what is used here: it has an environment of its own, which
``make build/bugsink/ready`` makes.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from tests.ports import free_port

_PROGRAMS = Path(__file__).parents[2] / "build" / "bugsink" / "bin"
_PATIENCE = 120.0  # seconds, for a slow machine


class BugsinkServer:
    """Down until ``start``; may be started and stopped again, and keeps what it has."""

    def __init__(self, folder):
        if not (_PROGRAMS / "gunicorn").exists():
            pytest.skip("make build/bugsink/ready: a server of Sentry's protocol")
        self._folder = folder
        folder.mkdir()
        self._process = None
        self.port = free_port()
        self._environment = {**os.environ, "PATH": f"{_PROGRAMS}{os.pathsep}{os.environ['PATH']}"}
        address = ("--host=127.0.0.1", f"--port={self.port}")
        self._run("bugsink-create-conf", "--template=local", *address)
        self._configuration = folder / "bugsink_conf.py"
        ours = {"PHONEHOME": False, "INGEST_STORE_BASE_DIR": str(folder / "ingestion")}
        with self._configuration.open("a") as configuration:
            configuration.write(f"\nBUGSINK |= {ours!r}\n")
        self.limit(1_000_000)
        self._run("bugsink-manage", "migrate")
        self._run("bugsink-manage", "migrate", "snappea", "--database=snappea")
        self._token = self._run("bugsink-manage", "create_auth_token").split()[-1]
        self.start()
        try:
            team = self._ask("teams", {"name": "night"})["id"]
            project = self._ask("projects", {"name": "audio", "team": team})["id"]
            self.dsn = self._ask(f"projects/{project}")["dsn"]
        finally:
            self.stop()

    def limit(self, events_in_five_minutes):
        """Set a quota; it holds from the next start on, and nothing is left of the one before."""
        quota = {
            "MAX_EVENTS_PER_PROJECT_PER_5_MINUTES": events_in_five_minutes,
            "MAX_EVENTS_PER_5_MINUTES": 1_000_000,
            "MAX_EVENTS_PER_PROJECT_PER_HOUR": 1_000_000,
            "MAX_EVENTS_PER_HOUR": 1_000_000,
        }
        with self._configuration.open("a") as configuration:
            configuration.write(f"BUGSINK |= {quota!r}\n")

    def start(self):
        self._process = subprocess.Popen(
            [
                *(_PROGRAMS / "gunicorn", "bugsink.wsgi", "--no-control-socket", "--workers=2"),
                f"--bind=127.0.0.1:{self.port}",
            ],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        ready = f"http://127.0.0.1:{self.port}/health/ready"
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(ready, timeout=10):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("Bugsink did not start")

    def stop(self):
        if self._process is not None:
            self._process.terminate()  # so that it ends its workers too
            self._process.wait(_PATIENCE)
            self._process = None

    def events(self):
        """What it has been told."""
        return [json.loads(data) for (data,) in self._rows("SELECT data FROM events_event")]

    def groups(self):
        """How many groups it makes of them."""
        return self._rows("SELECT count(*) FROM issues_issue")[0][0]

    def _rows(self, query):
        with closing(sqlite3.connect(self._folder / "db.sqlite3")) as db:
            return db.execute(query).fetchall()

    def _run(self, program, *arguments):
        return subprocess.run(
            [_PROGRAMS / program, *arguments],
            cwd=self._folder,
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        ).stdout

    def _ask(self, what, values=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/canonical/0/{what}/",
            None if values is None else json.dumps(values).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
