"""What of a circuit outlives its process, and what it tells of its last fault."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tenuto.capture.redact import scrub
from tenuto.machines import State

__all__ = ["CircuitMemory", "one_line", "summary"]

_LONGEST_SUMMARY = 200  # characters
_OVERLAP = 1024  # a secret that the cut would split is still recognised
_MOST_REOPENINGS = 64  # more make no difference: the open time is at its cap


@dataclass(frozen=True, slots=True)
class CircuitMemory:
    """Where a circuit stands. Times are in seconds since 1970 UTC; None where there is none.

    A half-open circuit is remembered as open: who probes has to begin anew.
    """

    state: State
    since: float | None = None
    """When it opened."""
    until: float | None = None
    """When it lets probes through."""
    reopenings: int = 0
    """How many probes have failed since it opened."""
    last_fault: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {**asdict(self), "state": self.state.value}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> CircuitMemory:
        """What ``to_dict`` was made of. Raises ValueError, KeyError or TypeError for nonsense."""
        fault = row["last_fault"]
        return cls(
            State(row["state"]),
            _moment(row["since"]),
            _moment(row["until"]),
            min(max(0, int(row["reopenings"])), _MOST_REOPENINGS),
            None if fault is None else one_line(str(fault), _LONGEST_SUMMARY),
        )


def _moment(value: Any) -> float | None:
    if value is None:
        return None
    moment = float(value)
    if not math.isfinite(moment):
        raise ValueError(value)
    return moment


def summary(error: BaseException) -> str:
    """What ``error`` says of itself, bounded. What is secret comes out when it is read."""
    try:
        return f"{type(error).__name__}: {error}"[: _LONGEST_SUMMARY + _OVERLAP]
    except Exception:  # an error may fail to describe itself
        return type(error).__name__


def one_line(text: str, longest: int = _LONGEST_SUMMARY) -> str:
    """``text`` without secrets, in a line that no terminal and no log takes for anything else."""
    text = scrub(text[: longest + _OVERLAP])[:longest]
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
