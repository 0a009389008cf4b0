"""A breaker that goes by what others have found out, and asks them before it probes."""

from __future__ import annotations

import math

import pytest

from tenuto.machines import Breaker, BreakerSettings, Decision, Event, Probe, State, Tally


def closed(permits=1):
    return Breaker(BreakerSettings(failure_threshold=2, timeout=10.0, permits=permits), 0.0)


def adopt(machine, state, now, until=math.inf, reopenings=0, opened_at=0.0):
    return machine.adopt(state, now, opened_at=opened_at, until=until, reopenings=reopenings)


def half_open(permits=1):
    """A machine whose open time ended at 20, and its first probe."""
    machine = closed(permits)
    adopt(machine, State.OPEN, 10.0, until=20.0)
    probe = machine.admit(20.0)
    assert isinstance(probe, Probe)
    return machine, probe


def test_one_that_hears_it_is_open_refuses_until_the_time_it_is_told():
    machine = closed()
    assert adopt(machine, State.OPEN, 10.0, until=25.0, opened_at=7.0) is Decision.OPENED
    assert machine.admit(24.9) is None
    assert machine.opened_at == 7.0
    assert isinstance(machine.admit(25.0), Probe)


def test_an_open_one_that_hears_it_is_open_goes_by_the_new_time_and_has_no_news():
    machine = closed()
    adopt(machine, State.OPEN, 10.0, until=25.0)
    assert adopt(machine, State.OPEN, 11.0, until=40.0, reopenings=2) is Decision.NOTED
    assert (machine.until, machine.reopenings) == (40.0, 2)


def test_how_often_others_have_probed_in_vain_makes_its_own_open_time_longer():
    machine = closed()
    adopt(machine, State.OPEN, 10.0, until=20.0, reopenings=1)
    machine.on(Event.FAILED, 20.0, machine.admit(20.0))
    assert (machine.until, machine.reopenings) == (60.0, 2)


def test_a_half_open_one_hears_that_the_probe_of_another_failed():
    machine, probe = half_open()
    assert adopt(machine, State.OPEN, 21.0, until=50.0, reopenings=1) is Decision.OPENED
    assert not machine.holds(probe)
    assert machine.on(Event.SUCCEEDED, 22.0, probe) is Decision.LATE
    assert machine.admit(49.0) is None


@pytest.mark.parametrize("opens", [State.OPEN, State.HALF_OPEN])
def test_one_that_is_not_closed_hears_that_it_is(opens):
    machine, _ = half_open()
    if opens is State.OPEN:
        machine.postpone(_, 30.0)
    assert machine.state is opens
    assert adopt(machine, State.CLOSED, 25.0) is Decision.CLOSED
    assert isinstance(machine.admit(25.0), Tally)
    assert machine.reopenings == 0


def test_a_closed_one_that_hears_it_is_closed_keeps_what_it_has_counted():
    machine = closed()
    machine.on(Event.FAILED, 0.0, machine.admit(0.0))
    assert adopt(machine, State.CLOSED, 1.0) is Decision.NOTED
    assert machine.on(Event.FAILED, 2.0, machine.admit(2.0)) is Decision.OPENED


@pytest.mark.parametrize("heard", [State.OPEN, State.CLOSED])
@pytest.mark.parametrize("command", [Event.FORCE_OPEN, Event.FORCE_CLOSED])
def test_what_somebody_has_forced_stays(command, heard):
    machine = closed()
    machine.on(command, 0.0)
    forced = machine.state
    assert adopt(machine, heard, 1.0, until=2.0) is Decision.NOTED
    assert machine.state is forced


def test_a_postponed_probe_comes_back_and_nobody_probes_before_the_time():
    machine, probe = half_open()
    machine.postpone(probe, 30.0)
    assert machine.state is State.OPEN
    assert machine.retry_after(22.0) == 8.0
    assert machine.admit(29.9) is None
    assert machine.on(Event.SUCCEEDED, 29.9, probe) is Decision.LATE
    again = machine.admit(30.0)
    assert machine.on(Event.SUCCEEDED, 30.0, again) is Decision.CLOSED


def test_while_another_of_its_probes_is_out_it_stays_half_open_and_waits():
    machine, first = half_open(permits=2)
    second = machine.admit(20.0)
    machine.postpone(second, 30.0)
    assert machine.state is State.HALF_OPEN
    assert machine.holds(first)
    assert machine.admit(29.9) is None
    assert machine.on(Event.SUCCEEDED, 29.9, first) is Decision.NOTED
    assert machine.on(Event.SUCCEEDED, 30.0, machine.admit(30.0)) is Decision.CLOSED


def test_a_probe_that_is_worth_nothing_any_more_postpones_nothing():
    machine, probe = half_open(permits=2)
    machine.on(Event.RELEASED, 20.0, probe)
    machine.postpone(probe, 99.0)
    assert isinstance(machine.admit(20.0), Probe)
    assert isinstance(machine.admit(20.0), Probe)
    assert machine.admit(20.0) is None


def test_a_probe_is_held_until_it_is_spent_or_its_era_is_over():
    machine, probe = half_open(permits=2)
    other = machine.admit(20.0)
    assert machine.holds(probe)
    machine.on(Event.RELEASED, 20.0, probe)
    assert not machine.holds(probe)
    assert machine.holds(other)
    machine.on(Event.RESET, 20.0)
    assert not machine.holds(other)
