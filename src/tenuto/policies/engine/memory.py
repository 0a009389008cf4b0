"""What of a circuit outlives its process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenuto.machines import State

__all__ = ["CircuitMemory", "summary"]

_LONGEST_SUMMARY = 200  # characters


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
    last_fault: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "state": self.state.value,
            "since": self.since,
            "until": self.until,
            "last_fault": self.last_fault,
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> CircuitMemory:
        """What ``to_dict`` was made of. Raises ValueError, KeyError or TypeError for nonsense."""
        since, until = (None if row[key] is None else float(row[key]) for key in ("since", "until"))
        fault = row["last_fault"]
        return cls(State(row["state"]), since, until, None if fault is None else str(fault))


def summary(error: BaseException) -> str:
    """``error`` in a short line that no terminal and no log takes for anything else."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # an error may fail to describe itself
        text = type(error).__name__
    shown = "".join(char if char.isprintable() else " " for char in text[:_LONGEST_SUMMARY])
    return " ".join(shown.split())
