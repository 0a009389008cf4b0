"""State machines without a clock, a lock or any input and output of their own.

Whoever uses one passes the time in, holds a lock where threads share it, and acts on what it
decides.
"""

from .allowance import Allowance, Prospect
from .breaker import Breaker, BreakerSettings, Decision, Event, Pace, Permit, Probe, State, Tally
from .bucket import Bucket, Turn
from .budget import Budget
from .common_cause import CommonCause
from .intensity import Intensity
from .limits import Aimd, Gradient, Limiter, LimitSettings, Round
from .places import Places
from .shedder import Priority, Shedder
from .shrink import Shrink
from .trust import Trust
from .window import CountWindow, TimeWindow

__all__ = [
    "Aimd",
    "Allowance",
    "Breaker",
    "BreakerSettings",
    "Bucket",
    "Budget",
    "CommonCause",
    "CountWindow",
    "Decision",
    "Event",
    "Gradient",
    "Intensity",
    "LimitSettings",
    "Limiter",
    "Pace",
    "Permit",
    "Places",
    "Priority",
    "Probe",
    "Prospect",
    "Round",
    "Shedder",
    "Shrink",
    "State",
    "Tally",
    "TimeWindow",
    "Trust",
    "Turn",
]
