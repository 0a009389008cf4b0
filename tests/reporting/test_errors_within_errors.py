"""Whatever runs while an error is handled may fail, or report an error itself: there it ends."""

from __future__ import annotations

import os
import signal

import pytest

from tenuto import ErrorHandler, ErrorReporter
from tenuto.errors import FaultClass, register_fault
from tenuto.journal import Reader
from tenuto.journal.spool import Spool
from tenuto.policies import CircuitBreaker, Fallback, Retry
from tenuto.reporting.pump import PUMP

ENOUGH = 20  # calls of one hook, after which it gives up, and the test has failed
TROUBLES = ["raises", "reports", "fails the same way"]


@pytest.fixture
def handler(journal, clock):
    reporter = ErrorReporter("enhance", journal=journal, clock=clock, log=False)
    yield ErrorHandler("enhance", error_reporter=reporter, clock=clock)
    reporter.close()


class Hook:
    """What is called while an error is handled, and makes trouble of one kind."""

    def __init__(self, trouble, handler):
        self.trouble = trouble
        self.handler = handler
        self.calls = 0

    def __call__(self, *arguments, **_):
        self.calls += 1
        if self.calls >= ENOUGH:
            return
        if self.trouble == "raises":
            raise RuntimeError("the hook is broken")
        if self.trouble == "reports":
            self.handler.handle_error(RuntimeError("seen in a hook"))
        else:
            self.handler.with_retry(fails, 0, on_event=self)()


def fails(*_):
    raise ConnectionError("no hub")


def groups(journal):
    return {group.message: group.count for group in journal.groups()}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_policys_listener(handler, journal, clock, trouble):
    hook = Hook(trouble, handler)
    guarded = handler.stack(
        Fallback("local", on_event=hook),
        Retry(1, lambda _: 0.0, clock=clock, on_event=hook),
        CircuitBreaker("hub", 2, clock=clock, on_event=hook),
    )(fails)
    assert guarded() == "local"
    assert 1 <= hook.calls < ENOUGH
    assert journal.losses == {}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_whom_an_escalation_is_told(journal, clock, trouble):
    reporter = ErrorReporter("enhance", journal=journal, clock=clock, log=False)
    handler = ErrorHandler("enhance", error_reporter=reporter, clock=clock)
    hook = Hook(trouble, handler)
    handler.recovery_manager.on_escalation = hook
    handler.recovery_manager.register("escalate", hook)
    event = handler.handle_error(TypeError("a bug"))
    assert handler.recover(TypeError("a bug")).success is (trouble == "reports")
    assert 1 <= hook.calls < ENOUGH
    assert journal.event(event.id).message == "a bug"
    reporter.close()


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_reader_of_the_journal(journal, clock, trouble):
    class Told:
        reader = Reader("mine", own=True)

        def receive(self, record):
            hook(record)

    reporter = ErrorReporter("enhance", journal=journal, clock=clock, log=False, readers=[Told()])
    handler = ErrorHandler("enhance", error_reporter=reporter, clock=clock)
    hook = Hook(trouble, handler)
    handler.handle_error(ValueError("no sound in it"))
    for _ in range(4):
        PUMP.turn()
    # A reader that reports each record it is told of is told of that too: once a turn.
    assert 1 <= hook.calls < ENOUGH
    assert groups(journal)["no sound in it"] == 1
    reporter.close()


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_rule_about_whose_fault_it_is(handler, journal, trouble):
    hook = Hook(trouble, handler)

    class Odd(Exception):
        pass

    @register_fault(Odd)
    def rule(error):
        hook(error)
        return FaultClass.DATA

    event = handler.handle_error(Odd("once"))
    assert event.type.endswith("Odd")
    assert groups(journal)["once"] == 1 or event.message.startswith("<lost")
    assert 1 <= hook.calls < ENOUGH


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("method", ["__str__", "__repr__", "__getattribute__"])
def test_what_an_error_does_when_it_is_looked_at(handler, journal, trouble, method):
    hook = Hook(trouble, handler)
    inside = False

    def look(self, *arguments):
        nonlocal inside
        if not inside:
            inside = True
            try:
                hook(self)
            finally:
                inside = False
        return getattr(Exception, method)(self, *arguments)

    odd = type("Odd", (Exception,), {method: look})("once")
    assert handler.handle_error(odd).type.endswith("Odd")
    assert handler.handle_error(ValueError("after")).message == "after"
    assert groups(journal)["after"] == 1


def test_an_interruption_in_the_middle_of_an_append_may_report(handler, journal, monkeypatch):
    def on_signal(*_):
        handler.handle_error(RuntimeError("seen by a signal handler"))

    before = signal.signal(signal.SIGUSR1, on_signal)
    append = Spool.append
    interruptions = 0

    def interrupted(self, rows):
        nonlocal interruptions
        interruptions += 1
        if interruptions == 1:
            os.kill(os.getpid(), signal.SIGUSR1)
        append(self, rows)

    try:
        monkeypatch.setattr(Spool, "append", interrupted)
        handler.handle_error(ValueError("the first"))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert groups(journal) == {"the first": 1, "seen by a signal handler": 1}
    assert journal.losses == {}
