"""What one call holds of a circuit."""

from __future__ import annotations

from collections.abc import Callable

from .outcome import Outcome

__all__ = ["Held"]


class Held:
    """A permit, given back once: when the call is settled or, failing that, when this is dropped.

    A task may end with a block it never left, and a generator be closed where the block's own
    context is out of sight.
    """

    __slots__ = ("_give_back",)

    def __init__(self, give_back: Callable[[Outcome | None], None]) -> None:
        self._give_back: Callable[[Outcome | None], None] | None = give_back

    @property
    def spent(self) -> bool:
        """Whether it has been given back."""
        return self._give_back is None

    def settle(self, outcome: Outcome | None) -> None:
        """The call is over. Without an outcome it proves nothing."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back(outcome)

    def __del__(self) -> None:
        self.settle(None)
