"""The stage on which threads are interleaved finds what it is there to find."""

import threading
import types

import pytest
from hypothesis import given, settings

from tests import interleaving
from tests.interleaving import (
    DeadlockError,
    Preemption,
    every_preemption,
    interleaved,
    random_schedules,
    schedules,
)

SOURCE = """
import threading
from threading import RLock

made_when_loaded = threading.Lock()


class Counter:
    def __init__(self):
        self.count = 0
        self.lock = threading.Lock()

    def add_carelessly(self):
        seen = self.count
        self.count = seen + 1

    def add(self):
        with self.lock:
            seen = self.count
            self.count = seen + 1

    def add_by_the_old_lock(self):
        with made_when_loaded:
            seen = self.count
            self.count = seen + 1


def pair():
    return RLock(), RLock()


def nested(outer, inner):
    with outer:
        with outer:
            with inner:
                pass
"""


@pytest.fixture(scope="module")
def code():
    """A module that the stage takes for one of the policies."""
    import sys

    module = types.ModuleType("tenuto.policies.made_up")
    path = f"{interleaving._TRACED[1]}made_up.py"
    exec(compile(SOURCE, path, "exec"), module.__dict__)
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def _count(code, way, schedule, threads=2):
    with interleaved(schedule) as stage:
        counter = code.Counter()
        stage.run(*[getattr(counter, way)] * threads)
    stage.count = counter.count
    return stage


def test_left_alone_threads_run_one_after_the_other(code):
    assert _count(code, "add_carelessly", []).count == 2


def test_one_preemption_is_enough_to_lose_a_count(code):
    counts = {
        _count(code, "add_carelessly", schedule).count
        for schedule in every_preemption(lambda s: _count(code, "add_carelessly", s), 2)
    }
    assert counts == {1, 2}


@pytest.mark.parametrize("way", ["add", "add_by_the_old_lock"])
def test_under_a_lock_none_is_lost(code, way):
    for schedule in every_preemption(lambda s: _count(code, way, s, threads=3), 3):
        assert _count(code, way, schedule, threads=3).count == 3
    for schedule in random_schedules(100):
        assert _count(code, way, schedule, threads=3).count == 3


@settings(max_examples=50, deadline=None)
@given(schedules())
def test_one_schedule_is_one_story(code, schedule):
    first, second = (_count(code, "add_carelessly", schedule, threads=3) for _ in range(2))
    assert (first.count, first.points) == (second.count, second.points)


def test_a_deadlock_is_reported(code):
    def scenario(schedule):
        with interleaved(schedule) as stage:
            one, other = code.pair()
            stage.run(lambda: code.nested(one, other), lambda: code.nested(other, one))
        return stage

    def explore():
        for schedule in every_preemption(scenario, 2):
            scenario(schedule)

    scenario([])
    with pytest.raises(DeadlockError, match=r"\[0, 1\]"):
        explore()


def test_waiting_for_nobody_is_a_deadlock_too():
    with interleaved() as stage:
        event = stage.stand_in_for(threading).Event()
        with pytest.raises(DeadlockError):
            stage.run(event.wait)
        with pytest.raises(DeadlockError, match="main"):
            event.wait()


def test_sleeping_threads_share_one_time():
    woken = []
    with interleaved() as stage:
        clock = stage.clock

        def sleeper(seconds):
            clock.sleep(seconds)
            woken.append((seconds, clock.monotonic()))

        stage.run(*[lambda seconds=seconds: sleeper(seconds) for seconds in (3, 1, 2)])
    assert woken == [(1, 1), (2, 2), (3, 3)]
    assert clock.sleeps == [3, 1, 2]


def test_an_event_wakes_before_its_time_is_up():
    with interleaved() as stage:
        clock, event = stage.clock, stage.stand_in_for(threading).Event()

        def waker():
            clock.sleep(5)
            event.set()

        assert stage.run(lambda: clock.wait(event, 60), waker) == [True, None]
        assert clock.monotonic() == 5
        assert event.is_set()
        event.clear()
        assert stage.run(lambda: clock.wait(event, 60)) == [False]
        assert clock.monotonic() == 65


def test_locks_can_be_tried_and_given_up():
    with interleaved() as stage:
        clock, lock = stage.clock, stage.stand_in_for(threading).Lock()

        def holder():
            with lock:
                assert lock.locked()
                clock.sleep(10)

        def impatient():
            return [lock.acquire(blocking=False), lock.acquire(timeout=3), clock.monotonic()]

        assert stage.run(holder, impatient) == [None, [False, False, 3]]
        assert not lock.locked()
        with pytest.raises(RuntimeError):
            lock.release()


def test_in_the_main_thread_waiting_only_takes_time():
    with interleaved() as stage:
        event = stage.stand_in_for(threading).Event()
        assert not stage.clock.wait(event, 5)
        stage.clock.sleep(5)
        assert stage.clock.monotonic() == 10
        event.set()
        assert event.wait()


def test_an_error_of_a_thread_comes_out():
    with interleaved([Preemption(0, 0)]) as stage, pytest.raises(ZeroDivisionError):
        stage.run(lambda: 1 / 0, lambda: 1)


def test_what_the_stage_cannot_do_it_does_not_pretend_to():
    with interleaved() as stage:
        stand_in = stage.stand_in_for(threading)
        assert stand_in.current_thread is threading.current_thread
        with pytest.raises(NotImplementedError, match="Condition"):
            _ = stand_in.Condition
