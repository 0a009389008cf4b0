"""Whose fault an error is, and how loud it should be."""

from __future__ import annotations

from enum import IntEnum, StrEnum

__all__ = ["FaultClass", "Severity"]


class FaultClass(StrEnum):
    """Whose fault an error is. The class decides who acts on it."""

    DATA = "data"
    """The input is at fault: repair or quarantine the item, never retry it as it is."""
    QUALITY = "quality"
    """The result is not good enough: try the next tier."""
    RESOURCE = "resource"
    """There is not enough of something here: shrink the work."""
    INFRASTRUCTURE = "infrastructure"
    """Something the work depends on is failing: wait, retry, break the circuit."""
    CONFIGURATION = "configuration"
    """The run was set up wrongly: stop it and say what to change."""
    BUG = "bug"
    """The code is at fault: escalate."""
    CANCELLED = "cancelled"
    """Nobody's fault: somebody asked the work to stop."""

    @property
    def severity(self) -> Severity:
        """How loud an error of this class is when nothing else is known about it."""
        return _SEVERITY[self]


class Severity(IntEnum):
    """How loud an error is. The numbers are those of the standard library's ``logging``."""

    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


_SEVERITY = {
    FaultClass.DATA: Severity.WARNING,
    FaultClass.QUALITY: Severity.WARNING,
    FaultClass.RESOURCE: Severity.ERROR,
    FaultClass.INFRASTRUCTURE: Severity.ERROR,
    FaultClass.CONFIGURATION: Severity.CRITICAL,
    FaultClass.BUG: Severity.ERROR,
    FaultClass.CANCELLED: Severity.INFO,
}
