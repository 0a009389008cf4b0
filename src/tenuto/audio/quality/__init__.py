"""Whether an enhanced recording is better than what it was made from."""

from .meter import Dnsmos, Meter, Score

__all__ = ["Dnsmos", "Meter", "Score"]
