"""What SQLite holds of a spool that is in use is never let go of by accident.

A POSIX lock belongs to the process: it is gone as soon as the process closes the file, whichever
way it had opened it. Another would then think itself the first to open the spool, and cut off its
index, which is mapped into memory here.
"""

from __future__ import annotations

import fcntl
import os

from tenuto.journal import Journal
from tenuto.journal.spool import log_length, rows_after

DEAD_MAN_SWITCH = 128  # the byte of the index that every connection has a shared lock on


def is_held(index):
    """Whether this process has its lock, as another process sees it."""
    child = os.fork()
    if child == 0:
        with index.open("r+b") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, DEAD_MAN_SWITCH)
            except OSError:
                os._exit(1)
            os._exit(0)
    return os.waitpid(child, 0)[1] != 0


def index_of(journal):
    [index] = (journal.path / "spools").glob("*.db-shm")
    return index


def test_a_spool_in_use_is_locked_while_its_owner_moves_it(private_journal, clock, event):
    with Journal(private_journal, clock=clock) as journal:
        journal.append(event(number=1))
        assert is_held(index_of(journal))
        journal.move()
        assert is_held(index_of(journal))
        with Journal(private_journal, clock=clock) as other:
            other.append(event(number=2))
            assert len(other.events()) == 2
        assert is_held(index_of(journal))
        assert len(journal.events()) == 2
        assert is_held(index_of(journal))


def test_the_index_of_a_spool_that_is_being_read_is_not_looked_at(
    private_journal, clock, event, monkeypatch
):
    """As by a signal handler that reads the journal in the middle of a read."""
    told = []

    def interrupted(raw):
        if not told:
            told.append("the handler begins")
            told.extend([log_length(path), len(rows_after(path, 0, 10)), log_length(path)])
        return raw.decode()

    with Journal(private_journal, clock=clock) as journal:
        journal.append(event())
        index = index_of(journal)
        path = index.with_name(index.name.removesuffix("-shm"))
        monkeypatch.setattr("tenuto.journal.spool.readable", interrupted)
        assert len(rows_after(path, 0, 10)) == 1
        assert told == ["the handler begins", 0, 1, 0]
        assert is_held(index)
