"""Time several ways to do one thing, side by side: interleaved rounds, medians, ratios."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping

ROUNDS = 41


def sync_seconds(ways: Mapping[str, Callable[[int], int]], calls: int) -> dict[str, float]:
    """Seconds a call, the median over rounds in which every way had its turn."""

    def measure(way: Callable[[int], int]) -> float:
        started = time.perf_counter()
        for argument in range(calls):
            way(argument)
        return (time.perf_counter() - started) / calls

    return _rounds(ways, measure)


def async_seconds(
    ways: Mapping[str, Callable[[int], Awaitable[int]]], calls: int
) -> dict[str, float]:
    """The same for coroutine functions, inside one running event loop a round."""

    async def run(way: Callable[[int], Awaitable[int]]) -> float:
        started = time.perf_counter()
        for argument in range(calls):
            await way(argument)
        return (time.perf_counter() - started) / calls

    return _rounds(ways, lambda way: asyncio.run(run(way)))


def _rounds(ways, measure):
    times: dict[str, list[float]] = {name: [] for name in ways}
    gc.disable()
    try:
        for way in ways.values():
            measure(way)  # to warm up
        for _ in range(ROUNDS):
            for name, way in ways.items():
                times[name].append(measure(way))
    finally:
        gc.enable()
    return {name: statistics.median(found) for name, found in times.items()}


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """``rows`` as a Markdown table."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
