"""Time several ways to do one thing, side by side: interleaved rounds, medians, ratios.

The clock is the thread's CPU time, which stands still while a neighbour on the machine has the
core. What waits is measured elsewhere, and on the wall clock.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping

ROUNDS = 41


def sync_seconds(
    ways: Mapping[str, Callable[[int], int]], calls: int, rounds: int = ROUNDS
) -> dict[str, float]:
    """Seconds a call, the median over rounds in which every way had its turn."""

    def measure(way: Callable[[int], int]) -> float:
        started = time.thread_time()
        for argument in range(calls):
            way(argument)
        return (time.thread_time() - started) / calls

    return _rounds(ways, measure, rounds)


def async_seconds(
    ways: Mapping[str, Callable[[int], Awaitable[int]]], calls: int, rounds: int = ROUNDS
) -> dict[str, float]:
    """The same for coroutine functions, inside one running event loop a round."""

    async def run(way: Callable[[int], Awaitable[int]]) -> float:
        started = time.thread_time()
        for argument in range(calls):
            await way(argument)
        return (time.thread_time() - started) / calls

    return _rounds(ways, lambda way: asyncio.run(run(way)), rounds)


def _rounds(ways, measure, rounds):
    times: dict[str, list[float]] = {name: [] for name in ways}
    order = list(ways.items())
    shuffle = random.Random(0).shuffle
    gc.disable()
    try:
        for way in ways.values():
            measure(way)  # to warm up
        for _ in range(rounds):
            shuffle(order)
            for name, way in order:
                times[name].append(measure(way))
            gc.collect()
    finally:
        gc.enable()
    return {name: statistics.median(found) for name, found in times.items()}


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """``rows`` as a Markdown table."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
