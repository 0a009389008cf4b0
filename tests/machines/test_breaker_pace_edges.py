"""Slow calls, other settings, and a life before this one: each told from what is next to it."""

from __future__ import annotations

import math

import pytest

from tenuto.machines import Breaker, BreakerSettings, Decision, Event, Pace, State


def minding(**settings):
    """A circuit that opens at two slow calls of four, and minds nothing else."""
    given = {"minimum_calls": 4, "window_calls": 4, **settings}
    return Breaker(BreakerSettings(failure_threshold=None, slow_rate=0.5, **given), 0.0)


def tell(machine, *calls, now=0.0):
    """The decision after the last of ``(event, pace)``."""
    decision = None
    for event, pace in calls:
        decision = machine.on(event, now, machine.tally, pace=pace)
    return decision


FAST = (Event.SUCCEEDED, Pace.FAST)
SLOW = (Event.SUCCEEDED, Pace.SLOW)
OVERDUE = (Event.OVERDUE, Pace.FAST)
TOLD = (Event.SUCCEEDED, Pace.TOLD)
CANCELLED_SLOW = (Event.RELEASED, Pace.SLOW)
CANCELLED = (Event.RELEASED, Pace.FAST)
CANCELLED_TOLD = (Event.RELEASED, Pace.TOLD)
FAILED_FAST = (Event.FAILED, Pace.FAST)
FAILED_SLOW = (Event.FAILED, Pace.SLOW)


@pytest.mark.parametrize("slow", [SLOW, OVERDUE, CANCELLED_SLOW, FAILED_SLOW])
def test_two_slow_calls_of_four_open_it_however_they_end(slow):
    machine = minding()
    assert tell(machine, FAST, FAST, slow) is Decision.NOTED
    assert tell(machine, slow) is Decision.OPENED


@pytest.mark.parametrize("other", [FAST, FAILED_FAST])
def test_one_slow_call_of_four_does_not(other):
    assert tell(minding(), other, other, other, SLOW) is Decision.NOTED


@pytest.mark.parametrize("nothing", [CANCELLED, TOLD, CANCELLED_TOLD])
def test_what_counted_before_or_proves_nothing_is_no_call_of_the_window(nothing):
    machine = minding()
    assert tell(machine, SLOW, SLOW, SLOW, *[nothing] * 8) is Decision.NOTED
    assert tell(machine, FAST, SLOW) is Decision.OPENED


def test_slow_answers_end_a_row_of_failures_and_calls_that_go_on_do_not():
    for between, decision in ((SLOW, Decision.NOTED), (OVERDUE, Decision.OPENED)):
        machine = Breaker(BreakerSettings(failure_threshold=2), 0.0)
        assert tell(machine, FAILED_FAST, between, FAILED_FAST) is decision


def test_a_slow_call_is_a_call_of_the_window_of_failures_when_it_has_ended():
    settings = BreakerSettings(
        failure_threshold=None, failure_rate=0.5, window_calls=4, minimum_calls=2
    )
    machine = Breaker(settings, 0.0)
    assert tell(machine, OVERDUE, FAILED_FAST) is Decision.NOTED
    assert tell(machine, SLOW) is Decision.OPENED


@pytest.mark.parametrize(
    ("event", "pace"),
    [
        (Event.OVERDUE, Pace.FAST),
        (Event.OVERDUE, Pace.SLOW),
        (Event.SUCCEEDED, Pace.SLOW),
        (Event.SUCCEEDED, Pace.TOLD),
        (Event.RELEASED, Pace.SLOW),
        (Event.FAILED, Pace.FAST),
    ],
)
def test_a_probe_that_is_slow_is_no_recovery(event, pace):
    machine = Breaker(BreakerSettings(failure_threshold=1), 0.0)
    tell(machine, FAILED_FAST)
    probe = machine.admit(machine.until)
    assert machine.on(event, machine.until, probe, pace=pace) is Decision.OPENED


def test_a_slow_call_moves_the_turn_of_a_time_window():
    machine = minding(window_calls=None, window_seconds=10.0)
    tell(machine, SLOW, now=5.5)
    assert machine.turn == 6.0


def test_a_circuit_opens_for_its_timeout_whatever_chance_would_take_off_later():
    machine = Breaker(BreakerSettings(failure_threshold=1, timeout=10.0), 0.0)
    machine.on(Event.FAILED, 0.0, machine.tally, chance=1.0)
    assert machine.until == 10.0


@pytest.mark.parametrize("kept", [False, True])
def test_a_count_window_keeps_its_calls_under_other_settings_of_its_kind(kept):
    machine = minding()
    tell(machine, SLOW, SLOW, SLOW)
    window = {"window_calls": 8} if kept else {"window_seconds": 10.0}
    settings = BreakerSettings(failure_threshold=None, slow_rate=0.5, minimum_calls=4, **window)
    assert machine.reconfigure(settings, 0.0) is Decision.NOTED
    assert tell(machine, SLOW) is (Decision.OPENED if kept else Decision.NOTED)


@pytest.mark.parametrize("kept", [False, True])
def test_a_time_window_keeps_its_calls_under_other_settings_of_its_kind(kept):
    machine = minding(window_calls=None, window_seconds=10.0)
    tell(machine, SLOW, SLOW, SLOW)
    window = {"window_seconds": 20.0} if kept else {"window_calls": 8}
    settings = BreakerSettings(failure_threshold=None, slow_rate=0.5, minimum_calls=4, **window)
    machine.reconfigure(settings, 0.0)
    assert machine.turn == (2.0 if kept else math.inf)
    assert tell(machine, SLOW) is (Decision.OPENED if kept else Decision.NOTED)


def test_a_resized_count_window_is_as_long_as_it_is_said_to_be():
    machine = minding(minimum_calls=2)
    machine.reconfigure(
        BreakerSettings(failure_threshold=None, slow_rate=0.5, window_calls=2, minimum_calls=2), 0.0
    )
    assert tell(machine, FAST, FAST, FAST, SLOW) is Decision.OPENED


def test_where_nothing_is_said_a_resized_window_is_a_hundred_calls_long():
    machine = minding()
    settings = BreakerSettings(failure_threshold=None, slow_rate=1.0, minimum_calls=100)
    machine.reconfigure(settings, 0.0)
    assert tell(machine, *[SLOW] * 99) is Decision.NOTED
    assert tell(machine, SLOW) is Decision.OPENED


def test_a_rate_that_is_taken_back_is_forgotten_and_one_that_is_new_begins_empty():
    machine = minding()
    tell(machine, SLOW, SLOW, SLOW)
    machine.reconfigure(BreakerSettings(failure_threshold=None), 0.0)
    assert tell(machine, *[SLOW] * 9) is Decision.NOTED
    again = BreakerSettings(failure_threshold=None, slow_rate=0.5, window_calls=4, minimum_calls=4)
    machine.reconfigure(again, 0.0)
    assert tell(machine, SLOW, SLOW, SLOW) is Decision.NOTED
    assert tell(machine, SLOW) is Decision.OPENED


def test_successes_of_before_are_in_the_window_when_the_settings_change():
    machine = minding(window_calls=None, window_seconds=10.0, minimum_calls=2)
    tell(machine, FAST)
    wider = BreakerSettings(
        failure_threshold=None, slow_rate=0.5, window_seconds=20.0, minimum_calls=2
    )
    machine.reconfigure(wider, 0.0)
    assert tell(machine, SLOW) is Decision.OPENED


def opened(**settings):
    machine = Breaker(BreakerSettings(failure_threshold=1, **settings), 0.0)
    tell(machine, FAILED_FAST)
    return machine


@pytest.mark.parametrize(("timeout", "until"), [(10.0, 30.0), (90.0, 60.0)])
def test_an_open_circuit_opens_no_later_by_other_settings(timeout, until):
    machine = opened(timeout=60.0)
    machine.reconfigure(BreakerSettings(timeout=timeout), 20.0)
    assert (machine.state, machine.until) == (State.OPEN, until)


@pytest.mark.parametrize(
    ("permits", "decision"), [(1, Decision.CLOSED), (2, Decision.CLOSED), (3, Decision.NOTED)]
)
def test_probes_that_have_answered_may_be_enough_by_other_settings(permits, decision):
    machine = opened(permits=4)
    for _ in range(2):
        machine.on(Event.SUCCEEDED, machine.until, machine.admit(machine.until))
    assert machine.reconfigure(BreakerSettings(permits=permits), machine.until) is decision
    assert (machine.state is State.CLOSED) == (decision is Decision.CLOSED)


@pytest.mark.parametrize("forced", [State.FORCED_OPEN, State.FORCED_CLOSED])
def test_what_is_forced_stays_so_under_other_settings(forced):
    machine = Breaker(BreakerSettings(), 0.0)
    machine.on(Event[f"FORCE_{forced.name[7:]}"], 0.0)
    assert machine.reconfigure(BreakerSettings(timeout=1.0), 0.0) is Decision.NOTED
    assert machine.state is forced


def test_a_retired_machine_lets_nobody_in_and_its_heir_goes_on():
    machine = Breaker(BreakerSettings(failure_threshold=2), 0.0)
    tell(machine, FAILED_FAST)
    heir = machine.retire()
    assert (machine.tally, machine.until) == (None, -math.inf)
    assert tell(heir, FAILED_FAST) is Decision.OPENED


@pytest.mark.parametrize("state", [State.OPEN, State.HALF_OPEN])
def test_a_circuit_that_was_open_is_open_from_then_until_then(state):
    machine = Breaker(BreakerSettings(timeout=10.0), 100.0)
    machine.restore(state, 100.0, opened_at=70.0, until=130.0, reopenings=2)
    assert (machine.state, machine.opened_at, machine.until) == (State.OPEN, 70.0, 130.0)
    probe = machine.admit(130.0)
    machine.on(Event.FAILED, 130.0, probe)
    assert machine.until == 130.0 + 80.0
    assert machine.opened_at == 70.0


def test_a_circuit_opened_in_what_is_to_come_opened_now():
    machine = Breaker(BreakerSettings(), 100.0)
    machine.restore(State.OPEN, 100.0, opened_at=170.0, until=130.0, reopenings=0)
    assert machine.opened_at == 100.0


def test_what_was_forced_or_closed_is_so_again():
    for state in (State.FORCED_OPEN, State.FORCED_CLOSED, State.CLOSED):
        machine = Breaker(BreakerSettings(), 100.0)
        machine.restore(state, 100.0, opened_at=70.0, until=math.inf, reopenings=0)
        assert machine.state is state
        assert (machine.admit(1e12) is None) == (state is State.FORCED_OPEN)


def test_successes_of_before_leave_the_window_at_their_own_time():
    machine = minding(window_calls=None, window_seconds=10.0, minimum_calls=2)
    tell(machine, FAST, now=0.5)
    wider = BreakerSettings(
        failure_threshold=None, slow_rate=0.5, window_seconds=20.0, minimum_calls=2
    )
    machine.reconfigure(wider, 5.0)
    assert tell(machine, SLOW, now=21.0) is Decision.NOTED


def test_the_window_of_failures_follows_the_settings_too():
    settings = BreakerSettings(
        failure_threshold=None, failure_rate=0.5, window_calls=4, minimum_calls=2
    )
    machine = Breaker(settings, 0.0)
    in_time = BreakerSettings(
        failure_threshold=None, failure_rate=0.5, window_seconds=10.0, minimum_calls=2
    )
    machine.reconfigure(in_time, 0.0)
    assert machine.turn == 1.0
    assert tell(machine, FAILED_FAST) is Decision.NOTED
    assert tell(machine, FAILED_FAST, now=10.5) is Decision.NOTED
    assert tell(machine, FAILED_FAST, now=10.5) is Decision.OPENED
