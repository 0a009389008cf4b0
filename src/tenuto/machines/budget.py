"""The retry budget as a machine: a bucket of tokens that retries spend and successes refill.

After the standard retry mode of the AWS SDKs: while most calls go well the bucket is full, and when
most fail it is soon empty, so that an outage is met with hardly more calls than a good day.
"""

from __future__ import annotations

from .breaker import Tally

__all__ = ["Budget"]


class Budget:
    """``capacity`` tokens, full at first; every success on ``tally`` gives ``refund`` back.

    The tally is counted on without a lock. What it says is taken in when tokens are asked for:
    between two of those nothing but successes happens, so that nothing is lost by waiting.
    """

    __slots__ = ("_capacity", "_counted", "_refund", "_tokens", "suppressed", "tally")

    tally: Tally
    suppressed: int
    """How many retries there were no tokens for."""

    def __init__(self, capacity: float, refund: float) -> None:
        self._capacity = capacity
        self._refund = refund
        self._tokens = capacity
        self._counted = 0
        self.suppressed = 0
        self.tally = Tally()

    @property
    def tokens(self) -> float:
        """How many are left."""
        earned = self._refund * (self.tally.successes - self._counted)
        return min(self._capacity, self._tokens + earned)

    def resize(self, capacity: float, refund: float) -> None:
        """Go by other numbers from now on; what is left stays, as far as there is room for it."""
        self._take_in()
        self._capacity = capacity
        self._refund = refund
        self._tokens = min(capacity, self._tokens)

    def spend(self, cost: float) -> bool:
        """Take ``cost`` tokens for one retry; False: there are too few, and none is taken."""
        self._take_in()
        if cost > self._tokens:
            self.suppressed += 1
            return False
        self._tokens -= cost
        return True

    def _take_in(self) -> None:
        total = self.tally.successes  # read once: other threads count on meanwhile
        earned = self._refund * (total - self._counted)
        self._tokens = min(self._capacity, self._tokens + earned)
        self._counted = total
