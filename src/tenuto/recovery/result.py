"""How an attempt to recover ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["RecoveryReason", "RecoveryResult"]


class RecoveryReason(StrEnum):
    """Why ``recover`` returned what it did."""

    RECOVERED = "recovered"
    """A strategy returned an output."""
    NO_STRATEGY = "no strategy"
    """Nothing is registered under this name, or for this error."""
    STRATEGY_FAILED = "strategy failed"
    """The strategy raised an error of its own."""
    ESCALATED = "escalated"
    """The strategy has failed too often in too short a time, and the error was passed upward."""
    LOOP = "loop"
    """The strategy is already at work on this very error, and asked for itself again."""


@dataclass(frozen=True, slots=True)
class RecoveryResult:
    """What ``recover`` returns; true where it succeeded."""

    success: bool
    output: Any
    """What the strategy returned; None without success."""
    strategy: str | None
    """The name of the strategy that was chosen; None where there was none."""
    error: BaseException | None
    """The error that stands: None on success, else the strategy's own error or the original."""
    duration: float
    """Seconds spent recovering."""
    reason: RecoveryReason

    def __bool__(self) -> bool:
        return self.success
