"""One thread per process that does what no caller should wait for."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Sequence

from tenuto.journal import Journal, Moved

from .delivery import Delivery, Gatherer, Subscriber, delivery

__all__ = ["PUMP", "Pump"]

_INTERVAL = 1.0  # seconds between two turns while there is work
_AT_EXIT = 2.0  # seconds that a process waits for its last turn


class Attachment:
    """A journal that is looked after for somebody, and whom to tell of it."""

    def __init__(
        self, journal: Journal, subscribers: Sequence[Subscriber | Gatherer], *, owned: bool
    ) -> None:
        self._journal = journal
        self._deliveries = [delivery(journal, each) for each in subscribers]
        self._owned = owned
        self.leaving = False

    def turn(self) -> bool:
        """Flush, tell and move; whether nothing is left to do. Never raises."""
        try:
            self._journal.flush()
            done = [self._tell(each) for each in self._deliveries if each.own]
            moved = self._journal.move()
            done += [self._tell(each) for each in self._deliveries if not each.own]
        except Exception as error:  # the thread outlives whatever happens to one journal
            self._journal.count_loss(f"looking after the journal: {type(error).__name__}")
            return False
        return moved is Moved.ALL and all(done)

    def _tell(self, each: Delivery) -> bool:
        try:
            return each.deliver()
        except Exception as error:  # the others, and the move, have their turn all the same
            self._journal.count_loss(f"reading the journal: {type(error).__name__}")
            return False

    def close(self) -> None:
        """Let go of the journal, where nobody else has it."""
        if self._owned:
            self._journal.close()


class Pump:
    """Flushes and moves journals, and tells subscribers. The thread starts with the first event."""

    def __init__(self) -> None:
        self._attachments: list[Attachment] = []
        self._registered = False
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._turning = threading.Lock()
        self._due = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def attach(
        self, journal: Journal, subscribers: Sequence[Subscriber | Gatherer], *, owned: bool
    ) -> Attachment:
        """Look after ``journal``; an ``owned`` one is closed when it is detached."""
        attachment = Attachment(journal, subscribers, owned=owned)
        with self._lock:
            self._attachments.append(attachment)
        journal.wake_with(self.wake)
        return attachment

    def detach(self, attachment: Attachment) -> None:
        """Take a last turn for a journal, and look after it no longer."""
        attachment.leaving = True
        self.turn([attachment])

    def retire(self, attachment: Attachment) -> None:
        """Detach, on the thread and as soon as may be: fit for finalizers."""
        attachment.leaving = True
        self._due.set()

    def wake(self) -> None:
        """There is something new. Costs next to nothing."""
        if not self._due.is_set():
            self._due.set()
        if self._thread is None:
            self._start()

    def turn(self, only: Sequence[Attachment] | None = None) -> bool:
        """Do now what the thread does once a second; whether nothing is left to do."""
        done = True
        with self._turning:
            with self._lock:  # only now: a turn would open again what has been let go meanwhile
                todo = list(self._attachments if only is None else only)
            for attachment in todo:
                done &= attachment.turn()
                if attachment.leaving:
                    self._let_go(attachment)
        return done

    def _let_go(self, attachment: Attachment) -> None:
        with self._lock:
            if attachment not in self._attachments:
                return
            self._attachments.remove(attachment)
        attachment.close()

    def stop(self) -> None:
        """Take a last turn, of at most two seconds, and end the thread."""
        thread = self._thread
        if thread is not None:
            self._stopping.set()
            self._due.set()
            thread.join(_AT_EXIT)
            self._begin()

    def begin_anew_in_child(self) -> None:
        """After a fork: threads stay with the parent."""
        self._begin()

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            self._register()
            thread = threading.Thread(
                target=_run, args=(self, self._due, self._stopping), name="tenuto", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the interpreter is going down
                return
            self._thread = thread

    def _register(self) -> None:
        if not self._registered:
            self._registered = True
            atexit.register(self.stop)
        # The workers of multiprocessing end without calling what atexit has.
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(None, self.stop, exitpriority=0)


def _run(pump: Pump, due: threading.Event, stopping: threading.Event) -> None:
    while not stopping.is_set():
        due.wait()
        due.clear()
        if not pump.turn():
            due.set()
        stopping.wait(_INTERVAL)
    pump.turn()


PUMP = Pump()
os.register_at_fork(after_in_child=PUMP.begin_anew_in_child)
