"""Whether an enhanced recording is better than what it was made from."""

from .gate import Gate, Hearing
from .meter import Dnsmos, Meter, Score
from .verdict import Verdict

__all__ = ["Dnsmos", "Gate", "Hearing", "Meter", "Score", "Verdict"]
