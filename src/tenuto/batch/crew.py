"""How many workers are at work at once: fewer while memory is short, then more again."""

from __future__ import annotations

from dataclasses import dataclass

from tenuto.machines import Aimd, LimitSettings, Round

__all__ = ["Crew", "Permit"]


@dataclass(frozen=True, slots=True)
class Permit:
    """Under which limit a task was begun, so that a late end says nothing about a later limit."""

    limiter: Aimd
    round: Round


class Crew:
    """Additive increase, multiplicative decrease, as in ``Aimd``; no limit until memory is short.

    Where fewer are at work, each may have the more memory.
    """

    def __init__(self) -> None:
        self._limiter: Aimd | None = None
        self._places = 0

    def size(self, places: int) -> int:
        """How many of the ``places`` there are to use."""
        return places if self._limiter is None else min(places, self._limiter.limit)

    def permit(self) -> Permit | None:
        """For a task that begins now."""
        return None if self._limiter is None else Permit(self._limiter, self._limiter.round)

    def starved(self, permit: Permit | None, places: int) -> None:
        """A task ran out of memory while there were that many ``places``."""
        if self._limiter is None:
            self._places = places
            self._limiter = Aimd(LimitSettings(maximum=places), places)
            permit = self.permit()
        if permit is not None and permit.limiter is self._limiter:
            self._limiter.drop(permit.round)

    def went_well(self, permit: Permit | None, seconds: float, in_hand: int) -> None:
        """A task ended as it should, after so many ``seconds``; ``in_hand`` others go on."""
        if permit is None or permit.limiter is not self._limiter:
            return
        limiter = permit.limiter
        if permit.round.note(seconds, max(0, limiter.limit - in_hand - 1)):
            limiter.turn(permit.round)
        if limiter.limit >= self._places:
            self._limiter = None
