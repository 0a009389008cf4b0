from __future__ import annotations

import math

import pytest

from tenuto.machines import Breaker, BreakerSettings, Decision, Event, Probe, State, Tally


def fail(machine, now, times=1):
    decision = None
    for _ in range(times):
        decision = machine.on(Event.FAILED, now, machine.admit(now))
    return decision


def succeed(machine, now, times=1):
    decision = None
    for _ in range(times):
        decision = machine.on(Event.SUCCEEDED, now, machine.admit(now))
    return decision


def tripped(**settings):
    machine = Breaker(BreakerSettings(failure_threshold=1, **settings), 0.0)
    fail(machine, 0.0)
    return machine


def test_five_failures_in_a_row_open_it_and_four_do_not():
    machine = Breaker(BreakerSettings(), 0.0)
    assert fail(machine, 1.0, 4) is Decision.NOTED
    assert succeed(machine, 1.0) is Decision.NOTED
    assert fail(machine, 1.0, 4) is Decision.NOTED
    assert machine.state is State.CLOSED
    assert fail(machine, 1.0) is Decision.OPENED
    assert machine.state is State.OPEN
    assert machine.admit(1.0) is None


def test_eighty_per_cent_failures_never_five_in_a_row_open_it_by_rate():
    machine = Breaker(BreakerSettings(failure_rate=0.5, window_calls=20, minimum_calls=10), 0.0)
    pattern = [Event.FAILED] * 4 + [Event.SUCCEEDED]
    decisions = [machine.on(event, 0.0, machine.tally) for event in pattern * 2]
    assert Decision.OPENED not in decisions[:9]
    assert fail(machine, 0.0) is Decision.OPENED


def test_a_rate_means_nothing_before_enough_calls():
    machine = Breaker(
        BreakerSettings(failure_threshold=None, failure_rate=0.5, window_calls=20), 0.0
    )
    assert fail(machine, 0.0, 9) is Decision.NOTED
    assert fail(machine, 0.0) is Decision.OPENED


def test_a_window_of_calls_is_a_hundred_long_where_nothing_is_said():
    settings = BreakerSettings(failure_threshold=None, failure_rate=0.9, minimum_calls=100)
    machine = Breaker(settings, 0.0)
    succeed(machine, 0.0, 50)
    assert fail(machine, 0.0, 89) is Decision.NOTED
    assert fail(machine, 0.0) is Decision.OPENED


def test_old_failures_leave_a_time_window():
    settings = BreakerSettings(
        failure_threshold=None, failure_rate=0.5, window_seconds=10.0, minimum_calls=4
    )
    machine = Breaker(settings, 0.0)
    fail(machine, 0.0, 3)
    assert fail(machine, 30.0) is Decision.NOTED
    assert fail(machine, 30.0, 3) is Decision.OPENED


def test_successes_counted_on_the_tally_belong_to_the_bucket_they_fell_in():
    settings = BreakerSettings(
        failure_threshold=None, failure_rate=0.5, window_seconds=10.0, minimum_calls=4
    )
    machine = Breaker(settings, 0.0)
    tally = machine.admit(0.0)
    tally.successes += 10
    assert machine.turn == 1.0
    machine.turn_over(1.5)
    assert machine.turn == 2.0
    succeed(machine, 9.0)  # turns by itself
    assert machine.turn == 10.0
    assert fail(machine, 10.5, 2) is Decision.NOTED  # the ten are gone: one success is left
    assert fail(machine, 10.5) is Decision.OPENED


def test_turning_over_an_open_circuit_changes_nothing():
    machine = tripped(failure_rate=0.5, window_seconds=10.0)
    machine.turn_over(5.0)
    assert machine.state is State.OPEN


def test_exactly_the_permitted_probes_pass_and_all_must_succeed():
    machine = tripped(timeout=60.0, permits=3)
    assert machine.admit(59.9) is None
    probes = [machine.admit(60.0) for _ in range(50)]
    assert [type(probe) for probe in probes[:3]] == [Probe] * 3
    assert probes[3:] == [None] * 47
    assert machine.on(Event.SUCCEEDED, 61.0, probes[0]) is Decision.NOTED
    assert machine.admit(61.0) is None  # in total, not only at once
    assert machine.on(Event.SUCCEEDED, 61.0, probes[1]) is Decision.NOTED
    assert machine.on(Event.SUCCEEDED, 61.0, probes[2]) is Decision.CLOSED
    assert machine.state is State.CLOSED
    assert isinstance(machine.admit(61.0), Tally)


def test_a_released_permit_can_be_had_again_and_given_back_only_once():
    machine = tripped(timeout=60.0)
    probe = machine.admit(60.0)
    assert machine.on(Event.RELEASED, 60.0, probe) is Decision.NOTED
    assert machine.on(Event.RELEASED, 60.0, probe) is Decision.LATE
    assert isinstance(machine.admit(60.0), Probe)
    assert machine.admit(60.0) is None


@pytest.mark.parametrize("event", [Event.SUCCEEDED, Event.FAILED, Event.RELEASED])
def test_results_from_an_earlier_era_change_nothing(event):
    machine = Breaker(BreakerSettings(failure_threshold=1, timeout=60.0, permits=2), 0.0)
    early = machine.admit(0.0)
    fail(machine, 0.0)
    first, second = machine.admit(60.0), machine.admit(60.0)
    assert machine.on(event, 60.0, early) is Decision.LATE
    assert machine.state is State.HALF_OPEN
    machine.on(Event.FAILED, 60.0, first)
    until = machine.until
    assert machine.on(event, 60.0, second) is Decision.LATE
    assert (machine.state, machine.until) == (State.OPEN, until)


def test_a_call_that_proves_nothing_changes_nothing_in_a_closed_circuit():
    machine = Breaker(BreakerSettings(failure_threshold=2), 0.0)
    fail(machine, 0.0)
    assert machine.on(Event.RELEASED, 0.0, machine.admit(0.0)) is Decision.NOTED
    assert fail(machine, 0.0) is Decision.OPENED


def test_open_time_doubles_with_failed_probes_up_to_the_cap_and_starts_afresh():
    machine, now = tripped(timeout=10.0, max_timeout=60.0), 0.0
    lengths = []
    for _ in range(100):
        lengths.append(machine.until - now)
        now = machine.until
        machine.on(Event.FAILED, now, machine.admit(now), chance=0.0)
    assert lengths[:5] == [10.0, 20.0, 40.0, 60.0, 60.0]
    assert set(lengths[5:]) == {60.0}
    assert machine.opened_at == 0.0  # it has been open ever since
    now = machine.until
    machine.on(Event.SUCCEEDED, now, machine.admit(now))
    fail(machine, now)
    assert machine.until - now == 10.0
    assert machine.opened_at == now


def test_chance_shortens_a_grown_open_time_but_never_below_the_timeout():
    machine = tripped(timeout=10.0, max_timeout=60.0)
    machine.on(Event.FAILED, 10.0, machine.admit(10.0), chance=0.5)
    assert machine.until == 10.0 + 20.0 * 0.9
    machine = tripped(timeout=10.0, max_timeout=10.0)
    machine.on(Event.FAILED, 10.0, machine.admit(10.0), chance=0.999)
    assert machine.until == 20.0


def test_forced_open_it_refuses_for_ever_and_nobody_can_say_how_long():
    machine = Breaker(BreakerSettings(), 0.0)
    assert machine.on(Event.FORCE_OPEN, 5.0) is Decision.OPENED
    assert machine.admit(1e12) is None
    assert machine.state_at(1e12) is State.FORCED_OPEN
    assert machine.retry_after(6.0) is None
    assert machine.until == math.inf
    assert machine.on(Event.RESET, 7.0) is Decision.CLOSED
    assert machine.state is State.CLOSED


def test_forced_closed_it_counts_nothing():
    machine = tripped()
    assert machine.on(Event.FORCE_CLOSED, 5.0) is Decision.CLOSED
    assert fail(machine, 5.0, 100) is Decision.NOTED
    assert machine.state_at(5.0) is State.FORCED_CLOSED
    machine.on(Event.RESET, 5.0)
    assert fail(machine, 5.0) is Decision.OPENED


def test_it_says_when_to_come_back_and_what_the_next_call_would_meet():
    machine = tripped(timeout=60.0)
    assert machine.retry_after(15.0) == 45.0
    assert machine.state_at(15.0) is State.OPEN
    assert machine.state_at(60.0) is State.HALF_OPEN
    assert machine.retry_after(61.0) == 0.0
    machine.admit(61.0)
    assert machine.retry_after(61.0) is None  # a probe is out: nobody can say
