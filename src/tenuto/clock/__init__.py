"""The one clock, sleeper and source of chance.

Whatever in Tenuto needs the time, a pause or a random number takes a ``Clock``, so that a day of
failures can be simulated in milliseconds.
"""

from tenuto.clock.contract import Clock
from tenuto.clock.simulated import SimulatedClock
from tenuto.clock.system import SYSTEM_CLOCK, SystemClock

__all__ = ["SYSTEM_CLOCK", "Clock", "SimulatedClock", "SystemClock"]
