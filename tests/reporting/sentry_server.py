"""A real server of Sentry's protocol on a free port of loopback, with its database in a folder."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

from tests.ports import free_port


class SentryServer:
    """Down until ``start``; may be started and stopped again, and keeps what it has."""

    def __init__(self, folder):
        self.port = free_port()
        self._database = folder / "sentry.db"
        self._process = None
        self.dsn = self._run(
            "create-project", "--base-url", f"http://127.0.0.1:{self.port}", "audio"
        ).strip()

    def _command(self, *arguments):
        return [sys.executable, "-m", "foxray", "--db", str(self._database), *arguments]

    def _run(self, *arguments):
        return subprocess.run(
            self._command(*arguments), check=True, capture_output=True, text=True, timeout=60
        ).stdout

    def start(self):
        self._process = subprocess.Popen(
            self._command("serve", "--host", "127.0.0.1", "--port", str(self.port)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.05).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the server did not start")

    def stop(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def limit(self, events_a_minute):
        """Set a quota. None: there is none."""
        with closing(sqlite3.connect(self._database)) as db, db:
            db.execute("UPDATE foxray_project SET rate_limit = ?", (events_a_minute,))

    def events(self):
        """What it has been told, oldest first."""
        with closing(sqlite3.connect(self._database)) as db:
            rows = db.execute("SELECT data FROM foxray_event ORDER BY id")
            return [json.loads(data) for (data,) in rows]

    def groups(self):
        """How many groups it makes of them."""
        with closing(sqlite3.connect(self._database)) as db:
            return db.execute("SELECT count(*) FROM foxray_issue").fetchone()[0]
