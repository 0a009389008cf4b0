"""How small the pieces of some work have to be, learnt from pieces that were too large.

A piece that was too large is halved. After some pieces that were not, twice the size is tried
again: memory that was short may be free by now. Where that fails, the next try is put off for
twice as long, so that a shortage that stays is met now and then only.
"""

from __future__ import annotations

__all__ = ["Shrink"]

_PATIENCE = 3
_MOST_PATIENCE = 96


class Shrink:
    """For work of one kind. Whole, at first."""

    __slots__ = ("_climbed", "_patience", "_successes", "halvings")

    halvings: int
    """How often the whole is to be halved for the next piece."""

    def __init__(self) -> None:
        self.halvings = 0
        self._patience = _PATIENCE
        self._successes = 0
        self._climbed = False

    def on_failure(self) -> None:
        """The piece was too large."""
        if self._climbed:
            self._patience = min(2 * self._patience, _MOST_PATIENCE)
        self.halvings += 1
        self._successes = 0
        self._climbed = False

    def on_success(self) -> None:
        """The piece went well."""
        if self._climbed:
            self._patience = _PATIENCE
            self._climbed = False
        self._successes += 1
        if self.halvings and self._successes >= self._patience:
            self.halvings -= 1
            self._successes = 0
            self._climbed = True
