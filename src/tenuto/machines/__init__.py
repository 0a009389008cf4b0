"""State machines without a clock, a lock or any input and output of their own.

Whoever uses one passes the time in, holds a lock where threads share it, and acts on what it
decides.
"""

from .breaker import Breaker, BreakerSettings, Decision, Event, Permit, Probe, State, Tally
from .intensity import Intensity
from .window import CountWindow, TimeWindow

__all__ = [
    "Breaker",
    "BreakerSettings",
    "CountWindow",
    "Decision",
    "Event",
    "Intensity",
    "Permit",
    "Probe",
    "State",
    "Tally",
    "TimeWindow",
]
