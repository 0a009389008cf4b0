"""Acknowledged is found, whatever happens to the process."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap

from tenuto.journal import Journal, open_journal

WRITER = """
    import sys
    from tenuto.capture import capture
    from tenuto.journal import Journal
    journal = Journal(sys.argv[1])
    def event(n, worker=""):
        error = ValueError("stop")
        return capture(error, context={"n": n, "worker": worker})
"""


def start(code, *args):
    source = textwrap.dedent(WRITER) + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", source, *map(str, args)], stdout=subprocess.PIPE, text=True
    )


def test_acknowledged_is_found_after_kill_9(private_journal):
    dice = random.Random(7)
    acknowledged = set()
    for kill in range(10):
        child = start(
            """
            n = 0
            while True:
                told = event(n)
                journal.append(told)
                print(told.id, flush=True)
                if n % 20 == 19:
                    journal.flush(); journal.move()
                n += 1
            """,
            private_journal,
        )
        for _ in range(dice.randrange(1, 60)):
            acknowledged.add(child.stdout.readline().strip())
        os.kill(child.pid, signal.SIGKILL)
        acknowledged |= {line.strip() for line in child.stdout if line.endswith("\n")}
        child.wait()
        child.stdout.close()
        if kill % 3 == 0:
            with open_journal(private_journal) as journal:
                journal.groups()
    with open_journal(private_journal) as journal:
        found = {told.id for told in journal.events(limit=100_000)}
        assert acknowledged <= found
        assert len(found) - len(acknowledged) <= 10  # written, and killed before it could say so
        assert journal.groups()[0].count == len(found)
        assert not list((private_journal / "spools").iterdir())


def test_processes_write_at_once_and_every_count_is_exact(private_journal):
    children = [
        start(
            """
            for n in range(150):
                told = event(n, sys.argv[2])
                if journal.fold(told.fingerprint, told.context) is None:
                    journal.append(told)
                if n % 40 == 0:
                    journal.flush(); journal.move()
            journal.close()
            """,
            private_journal,
            worker,
        )
        for worker in ("a", "b")
    ]
    with Journal(private_journal) as journal:
        while any(child.poll() is None for child in children):
            journal.groups()  # a third one reads, and moves, all the while
        assert [child.wait() for child in children] == [0, 0]
        assert journal.groups()[0].count == 300
        assert len(journal.events(limit=1000)) == 64
    for child in children:
        child.stdout.close()
