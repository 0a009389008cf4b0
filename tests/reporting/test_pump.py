"""The one thread behind all reporters."""

from __future__ import annotations

import sqlite3
import threading

import pytest

from tenuto.capture import capture
from tenuto.clock import SimulatedClock
from tenuto.journal import Journal, Reader
from tenuto.reporting import pump as pump_module
from tenuto.reporting.pump import Pump


class Listener:
    def __init__(self, *, own=True, fails=0):
        self.reader = Reader("listener", own=own)
        self.heard = []
        self.fails = fails
        self.calls = 0
        self.called = threading.Event()

    def receive(self, record):
        self.calls += 1
        if self.fails:
            self.fails -= 1
            raise ConnectionError("down")
        self.heard.append(record.body["context"]["n"])
        self.called.set()


@pytest.fixture
def journal(private_journal):
    with Journal(private_journal, clock=SimulatedClock()) as opened:
        yield opened


@pytest.fixture
def pump():
    made = Pump()
    yield made
    made.stop()


@pytest.fixture
def still(pump, monkeypatch):
    """A pump whose turns are taken by the test alone."""
    monkeypatch.setattr(pump, "wake", lambda: None)
    return pump


def put(journal, *numbers):
    for number in numbers:
        journal.append(capture(ValueError("x"), context={"n": number}))


@pytest.mark.parametrize("own", [True, False])
def test_a_turn_tells_everything_in_order_and_once(journal, still, own):
    listener = Listener(own=own)
    still.attach(journal, [listener], owned=False)
    put(journal, *range(250))
    assert still.turn()
    assert still.turn()
    assert listener.heard == list(range(250))


@pytest.mark.parametrize("own", [True, False])
def test_a_listener_that_is_down_is_told_again(journal, still, own):
    listener = Listener(own=own, fails=2)
    still.attach(journal, [listener], owned=False)
    put(journal, 1, 2)
    assert not still.turn()
    journal.clock.advance(1.0)
    assert not still.turn()
    journal.clock.advance(2.0)
    assert still.turn()
    assert listener.heard == [1, 2]
    assert journal.losses == {}


def test_a_record_that_always_fails_is_skipped_and_counted(journal, still):
    listener = Listener(fails=3)
    still.attach(journal, [listener], owned=False)
    put(journal, 1, 2)
    while not still.turn():
        pass
    assert listener.heard == [2]
    assert journal.losses == {"listener: ConnectionError": 1}


def test_a_journal_in_trouble_does_not_stop_the_others(journal, still, tmp_path, monkeypatch):
    other = Journal(tmp_path / "other")
    bad, good = Listener(), Listener()
    still.attach(other, [bad], owned=False)
    still.attach(journal, [good], owned=False)
    put(journal, 1)

    def broken(*_):
        raise RuntimeError("mine")

    monkeypatch.setattr(other, "read", broken)
    assert not still.turn()
    assert good.heard == [1]
    assert other.losses == {"reading the journal: RuntimeError": 1}


def test_the_thread_starts_with_the_first_event_and_tells_soon(journal, pump):
    listener = Listener()
    pump.attach(journal, [listener], owned=False)
    assert pump._thread is None
    put(journal, 1)
    assert pump._thread.daemon
    assert listener.called.wait(5)
    pump.stop()
    pump.stop()
    assert pump._thread is None
    put(journal, 2)
    pump.stop()
    assert listener.heard == [1, 2]


def test_what_could_not_be_told_is_tried_again_by_the_thread(journal, pump, monkeypatch):
    monkeypatch.setattr(pump_module, "_INTERVAL", 0.01)
    listener = Listener(fails=2)
    pump.attach(journal, [listener], owned=False)
    put(journal, 1)
    pump.wake()
    assert listener.called.wait(5)
    assert listener.calls == 3


def test_two_callers_start_one_thread(pump, monkeypatch):
    pump._start()
    first = pump._thread
    pump._start()
    assert pump._thread is first


def test_no_more_threads_is_no_trouble(journal, pump, monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    pump.wake()
    assert pump._thread is None


def test_a_detached_journal_has_been_told_and_is_left_alone(journal, still):
    listener = Listener()
    attachment = still.attach(journal, [listener], owned=False)
    put(journal, 1)
    still.detach(attachment)
    still.detach(attachment)
    put(journal, 2)
    still.turn()
    assert listener.heard == [1]


def test_an_owned_journal_is_closed_when_it_is_detached(private_journal, still):
    journal = Journal(private_journal)
    attachment = still.attach(journal, [], owned=True)
    put(journal, 1)
    still.retire(attachment)
    still.turn()
    assert journal._writer._spool is None


def test_it_asks_multiprocessing_to_tell_it_about_the_end(pump, monkeypatch):
    import multiprocessing.util

    asked = []
    monkeypatch.setattr(multiprocessing.util, "Finalize", lambda *a, **k: asked.append((a, k)))
    pump._start()
    assert asked == [((None, pump.stop), {"exitpriority": 0})]


def test_it_does_without_multiprocessing(pump, monkeypatch):
    monkeypatch.delitem(pump_module.sys.modules, "multiprocessing.util", raising=False)
    pump._start()
    assert pump._thread is not None


def test_in_a_forked_child_the_thread_starts_anew(journal, pump):
    listener = Listener()
    pump.attach(journal, [listener], owned=False)
    parents = threading.Thread(target=lambda: None)
    pump._thread = parents
    pump._turning.acquire()
    pump.begin_anew_in_child()
    put(journal, 1)
    assert listener.called.wait(5)


def test_one_that_cannot_read_holds_up_neither_the_others_nor_the_move(journal, still, monkeypatch):
    log, other = Listener(own=True), Listener(own=False)
    read = journal.read

    def damaged(reader, *args):
        if reader.own:
            raise sqlite3.DatabaseError("malformed")
        return read(reader, *args)

    monkeypatch.setattr(journal, "read", damaged)
    still.attach(journal, [log, other], owned=False)
    put(journal, 1)
    assert not still.turn()
    assert (log.heard, other.heard) == ([], [1])
    assert journal.losses == {"reading the journal: DatabaseError": 1}


def test_a_journal_that_was_let_go_while_a_turn_waited_is_not_opened_again(journal, still):
    listener = Listener()
    attachment = still.attach(journal, [listener], owned=False)
    put(journal, 1)
    with still._turning:
        waiting = threading.Thread(target=still.turn)
        waiting.start()
        waiting.join(0.1)
        still._let_go(attachment)
    waiting.join()
    assert listener.calls == 0
