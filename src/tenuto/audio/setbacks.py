"""What went wrong with a recording before this attempt at it, in a process that did not survive."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NO_SETBACKS", "Setbacks"]


@dataclass(frozen=True, slots=True)
class Setbacks:
    """Earlier attempts at one recording that took their process with them."""

    without: tuple[str, ...] = ()
    """Tiers not to try again."""
    reasons: tuple[str, ...] = ()
    """A sentence about each."""
    errors: tuple[str, ...] = ()
    """The event id of each."""

    def and_then(self, reason: str, error: str, without: tuple[str, ...] = ()) -> Setbacks:
        """These, and one more."""
        return Setbacks(
            tuple(dict.fromkeys((*self.without, *without))),
            (*self.reasons, reason),
            (*self.errors, error),
        )


NO_SETBACKS = Setbacks()
