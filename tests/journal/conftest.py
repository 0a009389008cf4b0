"""Journals on a simulated clock, and errors to put into them."""

from __future__ import annotations

import pytest

from tenuto.capture import capture
from tenuto.clock import SimulatedClock
from tenuto.journal import Journal


@pytest.fixture
def clock():
    return SimulatedClock()


@pytest.fixture
def journal(private_journal, clock):
    with Journal(private_journal, clock=clock) as opened:
        yield opened


@pytest.fixture
def event(clock):
    """Make an event: of the group ``kind``, told apart by ``number``."""

    def make(kind="decode", number=0, **context):
        try:
            raise ValueError(f"{kind} failed")
        except ValueError as error:
            return capture(error, context={"number": number, **context}, clock=clock)

    return make
