"""What a guard hands out where the guarded function returned an awaitable."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any

__all__ = ["Promised"]


class Promised(Coroutine[Any, Any, Any]):
    """A coroutine that holds a permit from before it begins.

    One that is thrown away unawaited gives the permit back, and complains to nobody: what the
    function returned does that itself, if it minds.
    """

    __slots__ = ("_abandoned", "_begun", "_coroutine")

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], abandoned: Callable[[], object]
    ) -> None:
        self._coroutine = coroutine
        self._abandoned = abandoned
        self._begun = False

    def __await__(self) -> Generator[Any, Any, Any]:
        self._begun = True
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:
        self._begun = True
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        if not self._begun:
            self.close()
            raise error[0]
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """End it; one that never began gives its permit back."""
        begun, self._begun = self._begun, True
        self._coroutine.close()
        if not begun:
            self._abandoned()

    def __del__(self) -> None:
        if not self._begun:
            self.close()
