"""What to do about an error: strategies by name and by type, and ladders of tiers."""

from .ladder import Fall, Judgement, Ladder, LadderResult, Tier
from .manager import RecoveryManager, hold_context
from .result import RecoveryReason, RecoveryResult

__all__ = [
    "Fall",
    "Judgement",
    "Ladder",
    "LadderResult",
    "RecoveryManager",
    "RecoveryReason",
    "RecoveryResult",
    "Tier",
    "hold_context",
]
