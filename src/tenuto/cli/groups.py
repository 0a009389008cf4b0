"""Groups of errors, one below the other."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from tenuto.journal import Direction, Group, Trend

from .event import FAULT_STYLES
from .terminal import ago, count, fit, moment

__all__ = ["show_groups"]

_SHORTEST_ID = 11
"""With the version that a fingerprint begins with."""

_BARS, _BARS_OF_ASCII = "·▁▂▃▄▅▆▇█", ".12345678"
_DIRECTION_STYLES = {
    Direction.NEW: "bold red",
    Direction.BACK: "yellow",
    Direction.RISING: "red",
    Direction.STEADY: "",
    Direction.FALLING: "green",
    Direction.QUIET: "dim",
}


def show_groups(
    groups: Sequence[Group], trends: Mapping[str, Trend], now: float, out: Console
) -> None:
    """Print of each group how often, what, where and when, and whether it is getting worse.

    A bar stands for each of the last 24 hours, on the group's own scale.
    """
    widest = max(len(f"{group.count:,}") for group in groups) + 1
    length = _id_length(groups)
    bars = _BARS if out.encoding.startswith("utf") else _BARS_OF_ASCII
    for group in groups:
        line = Text(f"{group.count:>{widest},} × ", style="bold")  # noqa: RUF001
        line.append(f"{group.fault_class.value:15}", FAULT_STYLES[group.fault_class])
        name = group.type.rpartition(".")[2]
        line.append(fit(f"{name}: {group.message}", out.width - widest - 18), "not bold")
        out.print(line)
        trend, indent = trends[group.fingerprint], " " * (widest + 3)
        when = f"last {ago(now - group.last)}, first {ago(now - group.first)}"
        line = Text(f"{indent}{trend.direction:8}", _DIRECTION_STYLES[trend.direction])
        line.append(_sparkline(trend.hours, bars), "not bold")
        line.append(fit(f"  {when}", out.width - len(line)), "not bold dim")
        out.print(line)
        where = f"{indent}{group.fingerprint[:length]}  {group.where}"
        out.print(Text(fit(where.rstrip(), out.width), "dim"))
    total = sum(group.count for group in groups)
    ways = count(len(groups), "group")
    out.print(f"\n{count(total, 'error')} in {ways}, as of {moment(now)}.")
    out.print("One in full: tenuto errors show ID")


def _sparkline(hours: Sequence[int], bars: str) -> str:
    """One bar for each; only nothing looks like nothing."""
    most, highest = max(*hours, 1), len(bars) - 1
    return "".join(bars[-(-number * highest // most)] for number in hours)


def _id_length(groups: Sequence[Group]) -> int:
    """How much of a fingerprint tells it from the others."""
    prints = {group.fingerprint for group in groups}
    lengths = itertools.count(_SHORTEST_ID)
    return next(n for n in lengths if len({each[:n] for each in prints}) == len(prints))
