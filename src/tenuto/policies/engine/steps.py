"""What a policy may want done around a call, and what it is told back."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias

from .outcome import Outcome
from .parking import Park

__all__ = ["Step", "Steps", "advance"]

Step: TypeAlias = float | Park | Callable[..., Any]
"""Sleep that many seconds; wait for a place; or call this with the caller's arguments."""

Steps: TypeAlias = Generator[Step, Outcome | None, Outcome]
"""The life of one guarded call. It is sent the outcome of every call it asks for."""


def advance(steps: Steps, outcome: Outcome | None) -> Step | Outcome:
    """What ``steps`` want next; the outcome they end with, when they end."""
    try:
        return steps.send(outcome)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
