"""A journal on a simulated clock, errors to put into it, and ways to tell others of them."""

from __future__ import annotations

import pytest

from tenuto import ErrorReporter, TenutoError
from tenuto.clock import SimulatedClock
from tenuto.journal import open_journal
from tests.thoroughness import REPEATABLE

collect_ignore = ["test_bugsink.py"] if REPEATABLE else []  # it takes a server of 200 MB


@pytest.fixture
def clock():
    return SimulatedClock()


@pytest.fixture
def journal(private_journal, clock):
    with open_journal(private_journal, clock=clock) as kept:
        yield kept


@pytest.fixture
def report(journal, clock):
    """Let an error happen, with a cause and context, and be reported."""
    reporter = ErrorReporter("speech", journal=journal, log=False, clock=clock)

    def fail(message="down", times=1, error=ConnectionError, **context):
        for _ in range(times):
            try:
                try:
                    raise OSError(5, "disk")
                except OSError as cause:
                    raise error(message) from cause
            except error as raised:
                reporter.report(raised, context)

    return fail


def deliver(way, clock, turns=40):
    """Let time pass until everything is told; whether it is."""
    for _ in range(turns):
        if way.deliver():
            return True
        clock.advance(10.0)
    return False


def distinct(count):
    """As many types of errors, each a group of its own."""
    return [type(f"Error{'x' * number}", (TenutoError,), {}) for number in range(count)]


def killed(*_, **__):
    """Stands for the moment at which the process dies."""
    raise KeyboardInterrupt
