"""The real clock, and the one that moves when told to."""

import asyncio
import socket
import threading

import pytest

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


def test_the_real_clock_waits_for_an_event():
    event = threading.Event()
    assert not SYSTEM_CLOCK.wait(event, 0)
    event.set()
    assert SYSTEM_CLOCK.wait(event, None)


def test_waiting_in_vain_takes_simulated_time():
    clock, event = SimulatedClock(), threading.Event()
    assert not clock.wait(event, 30)
    assert not clock.wait(event, -1)
    assert clock.monotonic() == 30


def test_waiting_for_what_has_happened_takes_none():
    clock, event = SimulatedClock(), threading.Event()
    event.set()
    assert clock.wait(event, 30)
    assert clock.wait(event, None)
    assert clock.monotonic() == 0


def test_waiting_without_a_limit_is_ended_by_another_thread():
    clock, event = SimulatedClock(), threading.Event()
    other = threading.Thread(target=event.set)
    other.start()
    assert clock.wait(event, None)
    other.join()


@pytest.fixture
def clock():
    return SimulatedClock()


@pytest.fixture
def runner(clock):
    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        yield runner


def test_tasks_on_a_simulated_loop_sleep_side_by_side(clock, runner):
    woken = []

    async def sleeper(seconds):
        await clock.async_sleep(seconds)
        woken.append((seconds, clock.monotonic()))

    async def main():
        await asyncio.gather(sleeper(3 * 86_400), sleeper(2), sleeper(1))

    runner.run(main())
    assert woken == [(1, 1), (2, 2), (3 * 86_400, 3 * 86_400)]
    assert clock.sleeps == [3 * 86_400, 2, 1]


def test_timeouts_on_a_simulated_loop_take_no_time(clock, runner):
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.Event().wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(60), 5)
        return asyncio.get_running_loop().time()

    assert runner.run(main()) == clock.monotonic() == 15


def test_advancing_the_clock_wakes_who_slept_so_long(clock, runner):
    async def main():
        sleeping = asyncio.ensure_future(clock.async_sleep(60))
        await asyncio.sleep(0)
        clock.advance(100)
        await sleeping

    runner.run(main())
    assert clock.monotonic() == 100


def test_a_simulated_loop_waits_for_threads(clock, runner):
    async def main():
        return await asyncio.to_thread(lambda: 7)

    assert runner.run(main()) == 7
    assert clock.monotonic() == 0


def test_a_simulated_loop_hears_its_sockets_before_time_passes(clock, runner):
    async def main():
        here, there = socket.socketpair()
        with here, there:
            reader, writer = await asyncio.open_connection(sock=here)
            there.sendall(b"at once")
            async with asyncio.timeout(60):
                heard = await reader.read(7)
            writer.close()
            await writer.wait_closed()
        return heard

    assert runner.run(main()) == b"at once"
    assert clock.monotonic() == 0


def test_on_the_loop_of_another_clock_a_sleep_moves_its_own(clock, runner):
    other = SimulatedClock()
    runner.run(other.async_sleep(5))
    assert (other.monotonic(), clock.monotonic()) == (5, 0)
