"""The table of all situations, ours beside the others.

python -m bench.guards [--quick]
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from unittest import mock

from bench.guards import costs
from bench.guards import functions as f
from bench.guards.rows import Row, rows, warm_up
from bench.timing import async_seconds, sync_seconds, table

BASE = "hand-written try/except"


def report(rounds: int = 41) -> str:
    """The tables, in Markdown."""
    parts = []
    for row in rows():
        parts.append(_row(row, rounds))
        print(parts[-1], file=sys.stderr, end="\n\n", flush=True)
    head = (
        "Multiples of a hand-written try/except wrapper around a call that succeeds, measured in "
        "the same rounds. CPU time of the thread, medians."
    )
    return "\n\n".join([head, *parts, costs.report()])


def _row(row: Row, rounds: int) -> str:
    ways = {BASE: f.by_hand(f.work), **row.ours, **row.peers}
    ways_async = {BASE: f.by_hand_async(f.work_async), **row.ours_async, **row.peers_async}
    warm_up({name: way for name, way in ways.items() if "fail" not in name}, asynchronous=False)
    warm_up(ways_async, asynchronous=True)
    with _sleepless() if row.sleepless else nullcontext():
        times = sync_seconds(ways, row.calls, rounds)
        times_async = async_seconds(ways_async, row.calls, rounds)
    lines = [
        (_shown(name, row), _ratio(times, name), _ratio(times_async, name))
        for name in dict.fromkeys([*row.ours, *row.ours_async, *row.peers, *row.peers_async])
    ]
    goal = "" if row.goal is None else f"; goal {row.goal[0]:g} / {row.goal[1]:g}"
    return f"**{row.title}**{goal}\n\n" + table(("", "sync", "async"), lines)


@contextmanager
def _sleepless() -> Generator[None, None, None]:
    def nothing(_seconds: float) -> None:
        pass

    async def no_pause(_seconds: float = 0, _result: object = None) -> None:
        pass

    with (
        mock.patch("time.sleep", nothing),
        mock.patch("asyncio.sleep", no_pause),
    ):
        yield


def _shown(name: str, row: Row) -> str:
    return f"`{name}`" if name in row.ours and name != "by hand" else name


def _ratio(times: dict[str, float], name: str) -> str:
    return f"{times[name] / times[BASE]:.2f}" if name in times else "–"


if __name__ == "__main__":
    print(report(11 if "--quick" in sys.argv else 41))
