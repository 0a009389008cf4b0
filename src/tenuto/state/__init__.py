"""What processes share: decided by each for itself, told to the others in the background.

With nobody to talk to, each goes on with what it knows, and rejoins when there is.
"""

from .circuits import EXCHANGE, LEAVE, SETTLE
from .contract import After, Answered, Effect, Member, Operation, Reply, Script, State, Status
from .line import Unreachable
from .memory import Memory, MemoryState
from .opening import open_state, state_at
from .seat import News, Seat
from .server import RedisState
from .shares_member import Share
from .standing import Standing

__all__ = [
    "EXCHANGE",
    "LEAVE",
    "SETTLE",
    "After",
    "Answered",
    "Effect",
    "Member",
    "Memory",
    "MemoryState",
    "News",
    "Operation",
    "RedisState",
    "Reply",
    "Script",
    "Seat",
    "Share",
    "Standing",
    "State",
    "Status",
    "Unreachable",
    "open_state",
    "state_at",
]
