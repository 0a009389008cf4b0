"""The last line, the last probe, the last moment: where an off-by-one would hide."""

from __future__ import annotations

import math

import pytest

from tenuto.machines import Breaker, BreakerSettings, Decision, Event, State


def tripped(**settings):
    machine = Breaker(BreakerSettings(failure_threshold=1, **settings), 0.0)
    assert machine.on(Event.FAILED, 0.0, machine.admit(0.0)) is Decision.OPENED
    return machine


def probe(machine):
    """The next probe, at the moment it may pass."""
    permit = machine.admit(max(0.0, machine.until))
    assert permit is not None
    return permit


def fail(machine, permit):
    return machine.on(Event.FAILED, max(0.0, machine.until), permit)


def test_a_minute_at_first_and_ten_at_most_where_nothing_is_said():
    settings = BreakerSettings()
    assert (settings.timeout, settings.max_timeout) == (60.0, 600.0)


def test_a_closed_circuit_says_of_no_time_that_it_opened_then():
    machine = tripped()
    fresh = Breaker(BreakerSettings(), 0.0)
    machine.on(Event.RESET, 1.0)
    for closed in (machine, fresh):
        assert closed.until == closed.opened_at == -math.inf


def test_without_a_time_window_successes_never_have_to_be_told():
    assert Breaker(BreakerSettings(), 0.0).turn == math.inf


def test_without_a_window_turning_over_forgets_no_success():
    machine = Breaker(BreakerSettings(failure_threshold=2), 0.0)
    for _ in range(3):
        fail(machine, machine.tally)
        machine.on(Event.SUCCEEDED, 0.0, machine.tally)
        machine.turn_over(0.0)
    assert fail(machine, machine.tally) is Decision.NOTED
    assert machine.state is State.CLOSED


def test_a_success_at_the_turn_belongs_to_the_new_bucket():
    settings = BreakerSettings(
        failure_threshold=None, failure_rate=0.5, window_seconds=10.0, minimum_calls=2
    )
    machine = Breaker(settings, 0.0)
    machine.on(Event.SUCCEEDED, 1.0, machine.tally)
    assert machine.on(Event.FAILED, 10.5, machine.tally) is Decision.OPENED


def test_a_probe_that_fails_opens_the_circuit_and_says_so():
    machine = tripped()
    assert fail(machine, probe(machine)) is Decision.OPENED


def test_every_failed_probe_doubles_the_open_time():
    machine = tripped(timeout=1.0, max_timeout=1e30)
    for times in (2, 4, 8, 16):
        now = machine.until
        fail(machine, machine.admit(now))
        assert machine.retry_after(now) == pytest.approx(times)


def test_doubling_ends_before_numbers_do():
    machine = tripped(timeout=1.0, max_timeout=math.inf)
    for _ in range(66):
        now = machine.until
        fail(machine, machine.admit(now))
    assert machine.retry_after(now) == 2.0**64


def test_a_probe_of_the_last_time_is_late_while_the_circuit_is_probed_again():
    machine = tripped(permits=2)
    late, failing = probe(machine), probe(machine)
    fail(machine, failing)
    assert probe(machine) is not None
    assert fail(machine, late) is Decision.LATE
    assert machine.state is State.HALF_OPEN


def test_a_probe_that_fails_after_a_reset_is_late():
    machine = tripped(permits=2)
    late = probe(machine)
    machine.on(Event.RESET, machine.until)
    assert fail(machine, late) is Decision.LATE
    assert machine.state is State.CLOSED


@pytest.mark.parametrize("probed_again", [False, True])
def test_a_probe_from_before_a_reset_stays_late_when_the_circuit_opens_again(probed_again):
    machine = tripped(permits=2)
    late = probe(machine)
    machine.on(Event.RESET, machine.until)
    fail(machine, machine.tally)
    if probed_again:
        probe(machine)
    state = machine.state
    assert fail(machine, late) is Decision.LATE
    assert machine.state is state


def test_an_open_circuit_that_hears_news_is_closed_at_no_moment(monkeypatch):
    """Calls look at the tally without a lock."""
    breaker = Breaker(BreakerSettings(), 0.0)
    breaker.adopt(State.OPEN, 0.0, opened_at=0.0, until=60.0, reopenings=0)

    def closes(*_):
        raise AssertionError("for a moment calls would pass")

    monkeypatch.setattr(Breaker, "_close", closes)
    breaker.adopt(State.OPEN, 1.0, opened_at=0.0, until=120.0, reopenings=1)
    assert (breaker.tally, breaker.reopenings) == (None, 1)
