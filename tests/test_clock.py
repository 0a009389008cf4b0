"""The real clock, and the one that moves when told to."""

import asyncio

from tenuto.clock import SYSTEM_CLOCK, SimulatedClock


def test_the_real_clock_goes_on():
    before = SYSTEM_CLOCK.monotonic()
    SYSTEM_CLOCK.sleep(0)
    asyncio.run(SYSTEM_CLOCK.async_sleep(0))
    assert SYSTEM_CLOCK.monotonic() >= before
    assert SYSTEM_CLOCK.now() > 1_700_000_000
    assert 0 <= SYSTEM_CLOCK.random() < 1


def test_a_simulated_day_takes_no_time():
    clock = SimulatedClock(start=1000)
    clock.sleep(86_400)
    asyncio.run(clock.async_sleep(1))
    clock.advance(0.5)
    assert clock.monotonic() == 86_401.5
    assert clock.now() == 87_401.5
    assert clock.sleeps == [86_400, 1]


def test_setting_the_wall_clock_back_does_not_turn_time_back():
    clock = SimulatedClock(start=1000)
    clock.advance(10)
    clock.set_wall_clock(0)
    assert (clock.now(), clock.monotonic()) == (0, 10)


def test_simulated_chance_repeats_itself():
    assert SimulatedClock(seed=7).random() == SimulatedClock(seed=7).random()
    assert SimulatedClock(seed=7).random() != SimulatedClock(seed=8).random()
