"""What of a circuit outlives its process, and a change of its settings."""

from __future__ import annotations

import asyncio
import contextlib
import math
import sqlite3
from datetime import timedelta

import pytest

from tenuto import ErrorHandler, open_journal
from tenuto.clock import SimulatedClock
from tenuto.errors import CircuitOpenError, ConfigurationError
from tenuto.policies import CircuitBreaker, CircuitMemory, State

DEAD = ConnectionError("down at /home/ann/x password=hunter2\n\x1b[2Jline")


def fail(breaker, times=1):
    for _ in range(times):
        with contextlib.suppress(ConnectionError), breaker:
            raise DEAD


def succeed(breaker):
    with breaker:
        pass


@pytest.fixture
def process(tmp_path, clock):
    """Starts a process: a handler with a journal that outlives it."""
    opened = []

    def start(at=None, **settings):
        now = SimulatedClock(clock.now() if at is None else at)
        journal = open_journal(tmp_path / "kept", clock=now)
        opened.append(journal)
        handler = ErrorHandler("speech", journal=journal, clock=now)
        return handler.circuit_breaker(name="hub", failure_threshold=2, **settings), now

    yield start
    for journal in opened:
        journal.close()


def test_an_open_circuit_is_open_in_the_next_process_for_as_long_as_it_had_left(process):
    breaker, clock = process()
    fail(breaker, 2)
    later, clock = process(at=clock.now() + 20)
    with pytest.raises(CircuitOpenError) as caught, later:
        pass
    assert caught.value.retry_after == pytest.approx(40.0)
    assert caught.value.open_for == pytest.approx(20.0)
    assert caught.value.since == pytest.approx(clock.now() - 20)
    clock.advance(40.0)
    succeed(later)
    assert later.state is State.CLOSED


def test_one_whose_time_is_up_probes_at_once(process):
    breaker, clock = process()
    fail(breaker, 2)
    later, _ = process(at=clock.now() + 3600)
    assert later.state is State.HALF_OPEN


def test_one_that_closed_comes_back_closed(process):
    breaker, clock = process()
    fail(breaker, 2)
    clock.advance(60.0)
    succeed(breaker)
    later, _ = process(at=clock.now() + 1)
    assert later.state is State.CLOSED


def test_one_that_was_forced_stays_forced(process):
    breaker, clock = process()
    breaker.force_open()
    later, clock = process(at=clock.now() + 10_000)
    assert later.state is State.FORCED_OPEN
    later.force_closed()
    assert process(at=clock.now() + 1)[0].state is State.FORCED_CLOSED


def test_a_wall_clock_set_back_keeps_nothing_open_beyond_the_cap(process):
    breaker, clock = process()
    fail(breaker, 2)
    later, clock = process(at=clock.now() - 1_000_000)
    clock.advance(600.0)
    assert later.state is State.HALF_OPEN


def test_the_last_fault_is_told_on_one_line_and_without_secrets(process):
    breaker, clock = process()
    fail(breaker, 2)
    later, _ = process(at=clock.now() + 1)
    for each in (breaker, later):
        with pytest.raises(CircuitOpenError) as caught, each:
            pass
        assert "ConnectionError: down" in caught.value.last_fault
        assert caught.value.last_fault.isprintable()
        assert "hunter2" not in str(caught.value)


def test_a_breaker_without_a_journal_of_its_own_begins_anew(private_journal):
    for _ in range(2):
        breaker = ErrorHandler("speech").circuit_breaker(name="hub", failure_threshold=1)
        assert breaker.state is State.CLOSED
        fail(breaker)


def test_what_no_circuit_has_written_is_not_taken_for_a_memory(tmp_path):
    from tenuto.journal import Transition

    with open_journal(tmp_path) as journal:
        journal.record(Transition(policy="hub", before="3", after="2", detail={"state": "odd"}))
        journal.record(Transition(policy="hub", before="3", after="2"))
        handler = ErrorHandler("speech", journal=journal)
        assert handler.circuit_breaker(name="hub").state is State.CLOSED


def test_keys_go_on_each_where_it_stood(tmp_path, clock):
    def process():
        journal = open_journal(tmp_path, clock=clock)
        handler = ErrorHandler("speech", journal=journal, clock=clock)
        breaker = handler.circuit_breaker(
            name="hub", failure_threshold=1, key=lambda call: call.args[0], max_keys=3
        )
        return journal, breaker

    journal, breaker = process()
    with journal:
        for host in ("eu", "us", "as[ia]"):
            fail(breaker.at(host))
        breaker.at("us").reset()
    journal, breaker = process()
    with journal:
        assert breaker.at("as[ia]").state is State.OPEN
        assert breaker.at("us").state is State.CLOSED
        with pytest.raises(CircuitOpenError, match=r"hub\[eu\]"):
            breaker(print)("eu")
        assert breaker.state is State.CLOSED
        assert breaker.at("eu").remember().state is State.OPEN


def test_what_is_remembered_of_keys_is_bounded_and_means_nothing_to_a_breaker_without(clock):
    memory = CircuitMemory(State.FORCED_OPEN)
    breaker = CircuitBreaker("hub", clock=clock, key=lambda call: call, max_keys=1)
    breaker.restore(memory, key="a")
    breaker.restore(memory, key="b")
    assert breaker.at("a").state is State.FORCED_OPEN
    assert breaker.at("b").state is State.CLOSED
    single = CircuitBreaker("hub", clock=clock)
    single.restore(memory, key="a")
    assert single.state is State.CLOSED


def test_the_last_change_is_the_one_written_last_whatever_the_wall_clock_says(process):
    breaker, clock = process()
    fail(breaker, 2)
    clock.set_wall_clock(clock.now() - 3600)
    clock.advance(60.0)
    succeed(breaker)
    later, _ = process(at=clock.now() + 1)
    assert later.state is State.CLOSED


def test_a_journal_that_cannot_be_read_leaves_the_circuit_closed(tmp_path, monkeypatch):
    def broken(self, policy):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("tenuto.journal.Journal.latest_states", broken)
    with open_journal(tmp_path) as journal:
        handler = ErrorHandler("speech", journal=journal)
        assert handler.circuit_breaker(name="hub").state is State.CLOSED
        assert journal.losses == {"remembering circuits: OperationalError": 1}


def test_a_memory_is_plain_and_comes_back_from_what_it_is_made_of():
    memory = CircuitMemory(State.OPEN, since=1.0, until=2.0, last_fault="x")
    assert CircuitMemory.from_dict(memory.to_dict()) == memory


def test_a_half_open_circuit_is_remembered_and_probes_anew(clock):
    breaker = CircuitBreaker("hub", 1, clock=clock)
    fail(breaker)
    clock.advance(60.0)
    with breaker:
        memory = breaker.remember()
    other = CircuitBreaker("hub", 1, clock=clock)
    other.restore(memory)
    assert other.state is State.HALF_OPEN
    succeed(other)
    assert other.state is State.CLOSED


def test_other_settings_hold_from_the_next_call_on(clock):
    breaker = CircuitBreaker("hub", 5, clock=clock)
    fail(breaker, 2)
    breaker.reconfigure(failure_threshold=3)
    fail(breaker)
    assert breaker.state is State.OPEN


def test_an_open_circuit_stays_open_and_never_longer_than_before(clock):
    breaker = CircuitBreaker("hub", 1, clock=clock)
    fail(breaker)
    breaker.reconfigure(timeout=600.0)
    assert breaker.circuit.machine.until == 60.0
    breaker.reconfigure(timeout=10.0)
    clock.advance(10.0)
    assert breaker.state is State.HALF_OPEN


def test_what_a_window_holds_is_kept_as_far_as_it_fits(clock):
    breaker = CircuitBreaker(
        "hub", None, failure_rate=0.5, window=20, minimum_calls=10, clock=clock
    )
    fail(breaker, 9)
    breaker.reconfigure(window=10)
    fail(breaker)
    assert breaker.state is State.OPEN


@pytest.mark.parametrize(
    "settings",
    [
        {"failure_rate": 0.5, "window": timedelta(seconds=60)},
        {"slow_after": 1.0},
        {"failure_rate": 0.5},
        {"shadow": False},
    ],
)
def test_settings_of_another_kind_hold_for_functions_guarded_before(world, clock, flaky, settings):
    breaker = CircuitBreaker("hub", 2, clock=clock)
    dead = flaky(99)
    guarded = breaker(world.function(dead))
    with pytest.raises(ConnectionError):
        world.call(guarded)
    breaker.reconfigure(**settings)
    with pytest.raises(ConnectionError):
        world.call(guarded)
    with pytest.raises(CircuitOpenError):
        world.call(guarded)
    assert dead.calls == 2
    clock.advance(60.0)
    dead.failures = 0
    assert world.call(guarded, "x") == "x"
    assert breaker.state is State.CLOSED
    assert world.call(guarded, "y") == "y"


def test_a_time_window_can_be_changed_and_given_up(clock):
    breaker = CircuitBreaker(
        "hub", None, failure_rate=0.5, window=timedelta(seconds=60), clock=clock, minimum_calls=4
    )
    fail(breaker, 2)
    breaker.reconfigure(minimum_calls=3)
    fail(breaker)
    assert breaker.state is State.OPEN
    breaker.reset()
    fail(breaker, 2)
    breaker.reconfigure(window=timedelta(seconds=10), minimum_calls=4)
    fail(breaker, 2)
    assert breaker.state is State.OPEN  # two are two seconds old at most
    breaker.reset()
    breaker.reconfigure(failure_threshold=1, failure_rate=None)
    fail(breaker)
    assert breaker.state is State.OPEN


def test_how_slow_is_slow_can_be_changed(clock):
    breaker = CircuitBreaker("hub", slow_after=10.0, minimum_calls=2, clock=clock)
    breaker.reconfigure(slow_after=1.0)
    for _ in range(2):
        with breaker:
            clock.advance(2.0)
    assert breaker.state is State.OPEN
    breaker.reset()
    breaker.reconfigure(slow_after=None)
    for _ in range(20):
        with breaker:
            clock.advance(50.0)
    assert breaker.state is State.CLOSED


def test_settings_that_make_no_sense_change_nothing(clock):
    breaker = CircuitBreaker("hub", 5, clock=clock)
    with pytest.raises(ConfigurationError):
        breaker.reconfigure(timeout=-1.0, failure_threshold=1)
    with pytest.raises(ConfigurationError, match="in force"):
        breaker.reconfigure(key=len)
    assert (breaker.timeout, breaker.failure_threshold) == (60.0, 5)


def test_a_forced_circuit_is_remembered_without_an_end(clock):
    breaker = CircuitBreaker("hub", clock=clock)
    breaker.force_open()
    assert breaker.remember().until is None
    assert math.isinf(breaker.circuit.machine.until)


def test_the_open_time_that_has_grown_stays_grown(clock):
    breaker = CircuitBreaker("hub", 1, timeout=10.0, max_timeout=1000.0, clock=clock)
    for _ in range(4):
        fail(breaker)
        clock.advance(max(0.0, breaker.circuit.machine.until - clock.monotonic()))
    fail(breaker)
    left = breaker.circuit.machine.until - clock.monotonic()
    assert left > 100.0
    breaker.reconfigure(failure_threshold=2)
    assert breaker.circuit.machine.until - clock.monotonic() == left
    breaker.reconfigure(max_timeout=50.0)
    assert breaker.circuit.machine.until - clock.monotonic() == 50.0

    other = CircuitBreaker("hub", 1, timeout=10.0, max_timeout=1000.0, clock=clock)
    other.restore(breaker.remember())
    clock.advance(50.0)
    fail(other)
    assert other.circuit.machine.until - clock.monotonic() > 200.0


def test_a_half_open_circuit_that_needs_fewer_probes_now_may_have_had_them(clock, events):
    breaker = CircuitBreaker("hub", 1, half_open_permits=3, clock=clock, on_event=events.append)
    fail(breaker)
    clock.advance(60.0)
    succeed(breaker)
    succeed(breaker)
    breaker.reconfigure(half_open_permits=2)
    assert breaker.state is State.CLOSED
    assert events[-1].kind == "closed"


def test_a_half_open_circuit_may_have_more_probes_out_than_it_needs_now(clock):
    breaker = CircuitBreaker("hub", 1, half_open_permits=3, clock=clock)
    fail(breaker)
    clock.advance(60.0)
    with breaker, breaker:
        breaker.reconfigure(half_open_permits=1)
        assert breaker.state is State.HALF_OPEN
    assert breaker.state is State.CLOSED


@pytest.mark.parametrize("shadow", [True, False])
def test_a_breaker_goes_into_shadow_and_comes_out_of_it_while_it_is_in_force(
    world, clock, flaky, shadow
):
    breaker = CircuitBreaker("hub", 1, clock=clock, shadow=shadow, fallback=lambda: "local")
    dead = flaky(99)
    guarded = breaker(world.function(dead))
    with pytest.raises(ConnectionError):
        world.call(guarded)
    for _ in range(2):
        shadow = not shadow
        breaker.reconfigure(shadow=shadow)
        for _ in range(2):
            if shadow:
                with pytest.raises(ConnectionError):
                    world.call(guarded)
            else:
                assert world.call(guarded) == "local"


def test_a_function_that_returns_awaitables_does_so_by_other_settings_too(world, clock, flaky):
    breaker = CircuitBreaker("hub", 2, clock=clock)
    dead = flaky(2)
    guarded = breaker(lambda: later())  # noqa: PLW0108 - a plain function

    async def later():
        return dead("x")

    async def main():
        with pytest.raises(ConnectionError):
            await guarded()
        breaker.reconfigure(slow_after=1.0)
        with pytest.raises(ConnectionError):
            await guarded()
        with pytest.raises(CircuitOpenError):
            await guarded()
        clock.advance(60.0)
        assert await guarded() == "x"
        assert await guarded() == "x"

    asyncio.run(main())


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"state": "ajar"},
        {"until": math.inf},
        {"since": math.nan},
        {"until": "soon"},
        {"reopenings": None},
        {"reopenings": "many"},
    ],
)
def test_a_memory_that_makes_no_sense_is_none(row):
    sound = CircuitMemory(State.OPEN, since=1.0, until=2.0).to_dict()
    assert CircuitMemory.from_dict(sound).until == 2.0
    with pytest.raises((KeyError, TypeError, ValueError)):
        CircuitMemory.from_dict({**sound, **row} if row else {})


def test_a_memory_is_bounded_and_in_one_line():
    row = CircuitMemory(State.OPEN, reopenings=10**9, last_fault="x\n" * 10_000).to_dict()
    memory = CircuitMemory.from_dict(row)
    assert memory.reopenings == 64
    assert len(memory.last_fault) <= 400
    assert memory.last_fault.isprintable()


def test_a_moment_of_opening_that_lies_ahead_is_now(clock):
    breaker = CircuitBreaker("hub", clock=clock)
    breaker.restore(CircuitMemory(State.OPEN, since=clock.now() + 5, until=clock.now() + 9))
    with pytest.raises(CircuitOpenError) as caught, breaker:
        pass
    assert (caught.value.open_for, caught.value.retry_after) == (0.0, 9.0)
