"""Calls in processes of their own. These processes, and their time, are real."""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import threading
import time
from multiprocessing import Pipe

import pytest

from tenuto.clock import SYSTEM_CLOCK
from tenuto.context import scope
from tenuto.errors import (
    CallTimeoutError,
    ConfigurationError,
    ExternalServiceError,
    FaultClass,
    TenutoError,
    classify,
)
from tenuto.policies import (
    Backoff,
    CircuitBreaker,
    DeadlinePassedError,
    EventKind,
    ProcessDiedError,
    Retry,
    State,
    Timeout,
    deadline,
    isolated,
    isolation,
)

from . import apart

AMPLE = 60.0  # seconds: the limit of calls that are meant to be in time


def isolate(function, seconds=AMPLE, **settings):
    return Timeout(seconds, isolate=True, **settings)(function)


def test_a_call_is_made_in_another_process_which_is_kept_for_the_next():
    first, second = isolate(apart.whoami)(), isolate(apart.whoami)()
    assert first == second != os.getpid()


def test_arguments_go_in_and_results_come_out():
    assert isolate(apart.add)(2, right=3) == 5


def test_what_can_be_pickled_can_be_isolated():
    assert isolate(apart.Doubler(3).double)("ab") == "ababab"
    assert isolate(sys.getrecursionlimit)() == sys.getrecursionlimit()


def test_the_function_is_found_under_its_decorators_and_called_without_them():
    value, pid = apart.decorated("x")
    assert (value, pid == os.getpid()) == ("x", False)


def test_what_no_other_process_can_find_is_refused_with_the_reason():
    def local():
        raise AssertionError

    for function in (local, lambda: None):
        with pytest.raises(ConfigurationError, match="top level of a module"):
            isolate(function)()


def test_a_coroutine_function_needs_no_process():
    async def coroutine(): ...

    with pytest.raises(ConfigurationError, match="can be cancelled"):
        isolate(coroutine)


def test_arguments_that_cannot_be_pickled_say_why_they_should():
    with pytest.raises(TypeError) as caught:
        isolate(apart.add)(threading.Lock())
    assert "pickled" in caught.value.__notes__[0]


def test_the_context_goes_along_as_far_as_it_can_be_pickled():
    with scope(audio_id="a17", lock=threading.Lock()):
        assert isolate(apart.context)() == {"audio_id": "a17"}
    assert isolate(apart.context)() == {}


def test_what_is_inside_sees_how_much_time_there_is():
    assert 0 < isolate(apart.left, 30.0)() <= 30.0
    with deadline(20.0):
        assert 0 < isolate(apart.left, 30.0)() <= 20.0


# --- being stopped ----------------------------------------------------------------------------


@pytest.mark.parametrize("function", [apart.sleep, apart.hang_in_c])
def test_a_call_that_hangs_is_killed_when_its_time_is_up(function, events):
    isolate(apart.whoami)()  # a process is there: its start does not count
    before = time.monotonic()
    with pytest.raises(CallTimeoutError) as caught:
        isolate(function, 0.2, name="codec", on_event=events.append)()
    assert 0.2 <= time.monotonic() - before < 2.0
    assert (caught.value.service, caught.value.limit) == ("codec", 0.2)
    assert [(event.kind, event.limit) for event in events] == [(EventKind.TIMED_OUT, 0.2)]
    assert isolate(apart.add)(1) == 1


def test_an_outer_deadline_kills_too():
    isolate(apart.whoami)()
    with deadline(0.2), pytest.raises(CallTimeoutError) as caught:
        isolate(apart.sleep)()
    assert caught.value.limit <= 0.2


def test_once_no_time_is_left_no_process_is_troubled(clock):
    with deadline(0.0, clock=clock), pytest.raises(DeadlinePassedError):
        isolate(apart.sleep)()


def test_a_call_whose_caller_is_interrupted_is_killed(monkeypatch):
    pid = isolate(apart.whoami)()

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(isolation, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            isolate(apart.sleep)()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_process_that_never_gets_ready_is_given_up(monkeypatch):
    monkeypatch.setattr(isolation, "_LONGEST_START", 0.0)
    with pytest.raises(CallTimeoutError):
        isolate(apart.sleep)()


# --- dying ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "argument", "exitcode", "words"),
    [
        (apart.die, 3, 3, "exit status 3"),
        (apart.die, 0, 0, "exit status 0"),
        (apart.die_by, signal.SIGKILL, -9, "killed by SIGKILL"),
        (apart.die_by, signal.SIGSEGV, -11, "killed by SIGSEGV"),
    ],
)
def test_a_process_that_dies_is_a_failure_with_a_type(function, argument, exitcode, words):
    with pytest.raises(ProcessDiedError, match=f"the process of codec .*{words}") as caught:
        isolate(function, name="codec")(argument)
    error = caught.value
    assert (error.service, error.exitcode) == ("codec", exitcode)
    assert isinstance(error, ExternalServiceError)
    assert classify(error) is FaultClass.INFRASTRUCTURE
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert isolate(apart.add)(1) == 1


def test_a_signal_without_a_name_has_a_number():
    assert str(ProcessDiedError("codec", -40)).endswith("killed by signal 40")
    assert str(ProcessDiedError()) == "the process of the call ended, without an answer"


def test_a_process_that_died_while_it_had_nothing_to_do_is_replaced():
    pid = isolate(apart.whoami)()
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert isolate(apart.whoami)() != pid


def test_a_dead_process_is_repeated_and_counted_like_any_failure():
    breaker = CircuitBreaker("codec", 2)
    retry = Retry(1, Backoff("fixed", initial=0.0))
    with pytest.raises(ProcessDiedError):
        retry(breaker(isolate(apart.die)))(3)
    assert breaker.state is State.OPEN


# --- failing ----------------------------------------------------------------------------------


def test_an_error_comes_back_as_it_is_and_says_where_it_was_raised():
    with pytest.raises(ConnectionError, match="reset by peer") as caught:
        isolate(apart.fail)()
    assert "in fail" in caught.value.__notes__[0]


def test_an_errors_causes_come_along():
    with pytest.raises(RuntimeError) as caught:
        isolate(apart.fail_because)()
    assert isinstance(caught.value.__cause__, ConnectionError)
    with pytest.raises(RuntimeError) as caught:
        isolate(apart.fail_while)()
    assert caught.value.__cause__ is None
    assert isinstance(caught.value.__context__, ConnectionError)
    assert classify(caught.value) is FaultClass.INFRASTRUCTURE
    with pytest.raises(RuntimeError) as caught:
        isolate(apart.fail_unlike)()
    assert caught.value.__suppress_context__


def test_what_is_attached_to_an_error_comes_along_but_for_what_is_for_that_process_alone():
    with pytest.raises(json.JSONDecodeError) as caught:  # whose class pickles no notes
        isolate(apart.fail_to_read)()
    assert "in fail_to_read" in caught.value.__notes__[0]
    with pytest.raises(ConnectionError) as caught:
        isolate(apart.fail_with_baggage)()
    assert caught.value.code == 7


def test_what_a_retry_gave_up_on_in_there_is_not_repeated_out_here(clock):
    calls = []

    def call():
        calls.append(isolate(apart.fail_for_good))
        return calls[-1]()

    with pytest.raises(ConnectionError):
        Retry(3, clock=clock)(call)()
    assert len(calls) == 1


def test_an_error_that_does_not_survive_the_journey_is_stood_in_for():
    with pytest.raises(TenutoError, match="Awkward: 7: odd") as caught:
        isolate(apart.fail_awkwardly)()
    assert caught.value.error_type == "Awkward"
    assert "in fail_awkwardly" in caught.value.__notes__[0]
    assert classify(caught.value, FaultClass.DATA) is FaultClass.DATA  # still nobody knows
    with pytest.raises(TenutoError, match="Hostile") as caught:
        isolate(apart.fail_hostilely)()
    assert classify(caught.value) is FaultClass.INFRASTRUCTURE
    with pytest.raises(apart.Proud):
        isolate(apart.fail_proudly)()


def test_a_result_that_cannot_be_pickled_is_an_error():
    with pytest.raises(AttributeError, match="pickle"):
        isolate(apart.give_what_cannot_be_pickled)()


def test_an_exit_is_for_the_caller():
    with pytest.raises(SystemExit) as caught:
        isolate(apart.leave)(3)
    assert caught.value.code == 3


def test_ctrl_c_is_for_the_caller_alone():
    assert isolate(apart.ignores_interrupts)() == "still here"


# --- the processes ----------------------------------------------------------------------------


@pytest.fixture
def workers(monkeypatch):
    """A set of processes of the test's own."""
    workers = isolation._Workers()
    monkeypatch.setattr(isolation, "_workers", workers)
    yield workers
    workers.close()


def test_no_more_processes_are_kept_than_there_are_processors(workers):
    workers._most_idle = 1
    first, second = workers.take()[0], workers.take()[0]
    workers.give_back(first)
    workers.give_back(second)
    assert second.pipe.closed
    assert workers.take() == (first, False)
    workers.give_back(first)


def test_all_processes_end_with_this_one(workers):
    idle, busy = workers.take()[0], workers.take()[0]
    processes = [idle.process.pid, busy.process.pid]
    workers.give_back(idle)
    workers.close()
    workers.close()  # and once is enough
    for pid in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_after_a_fork_the_processes_are_the_parents(workers):
    pid = isolate(apart.whoami)()
    (worker,) = workers._idle
    workers.forget()
    assert worker.pipe.closed
    assert isolate(apart.whoami)() != pid
    workers.bury(worker, 5.0)


def test_a_process_that_cannot_be_killed_is_left_behind(workers):
    worker = workers.take()[0]
    process = worker.process

    class Stuck:
        exitcode = None

        def join(self, timeout): ...
        def kill(self): ...

    worker.process = Stuck()
    assert workers.bury(worker) is None
    worker.process = process
    worker.process.join()


# --- the inside of such a process, seen from here ---------------------------------------------


def perform(function, *args, context=()):
    task = isolated.Task(function, args, {}, dict(context), AMPLE)
    begun = []
    outcome = isolated.unpack(isolated.perform(pickle.dumps(task), lambda: begun.append(True)))
    return begun, outcome


def test_a_call_begins_once_all_is_imported():
    assert perform(apart.add, 1)[0] == [True]
    begun, outcome = perform(isolated.Named("tests.no_such_module", "f", 0))
    assert begun == []
    assert isinstance(outcome.error, ModuleNotFoundError)


def test_context_and_decorators_are_looked_through():
    assert perform(apart.context, context={"audio_id": "a17"}.items())[1].value == {
        "audio_id": "a17"
    }
    named = isolated.Named(apart.__name__, "decorated", 2)
    assert perform(named, "x")[1].value == ("x", os.getpid())


@pytest.mark.parametrize(
    "function",
    [
        apart.fail_because,
        apart.fail_with_baggage,
        apart.fail_awkwardly,
        apart.fail_hostilely,
        apart.fail_proudly,
        apart.give_what_cannot_be_pickled,
    ],
)
def test_every_error_gets_through(function):
    assert perform(function)[1].failed


def test_a_process_serves_until_its_pipe_is_closed(monkeypatch):
    monkeypatch.setattr(isolated, "_end_with_parent", lambda: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    ours, theirs = Pipe()
    ours.send_bytes(pickle.dumps(isolated.Task(apart.add, (1,), {}, {}, AMPLE)))
    thread = threading.Thread(target=isolated.serve, args=(theirs,))
    thread.start()
    assert ours.recv_bytes() == isolated.BEGUN
    assert isolated.unpack(ours.recv_bytes()).value == 1
    ours.close()
    thread.join(10)
    assert not thread.is_alive()


def test_a_process_ends_with_the_one_that_started_it(monkeypatch):
    class Parent:
        def __init__(self):
            self.pipe, self.end = Pipe(duplex=False)
            self.sentinel = self.pipe.fileno()

    parent, ended = Parent(), []
    monkeypatch.setattr(isolated, "parent_process", lambda: parent)
    monkeypatch.setattr(os, "_exit", ended.append)
    before = signal.signal(signal.SIGIO, lambda *_: ended.append("signal"))
    thread = threading.Thread(target=isolated._end_with_parent)
    thread.start()
    parent.end.close()
    thread.join(10)
    signal.signal(signal.SIGIO, before)
    assert 1 in ended
    parent.pipe.close()


def test_the_time_is_the_real_one_whatever_the_clock_says(clock):
    assert Timeout(AMPLE, isolate=True, clock=clock)(apart.add)(1) == 1
    assert clock.monotonic() == 0.0
    assert SYSTEM_CLOCK.monotonic() > 0.0
