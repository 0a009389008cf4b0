"""``with deadline(seconds):`` a limit that every retry inside the block keeps."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from tenuto.clock import SYSTEM_CLOCK, Clock

from .rules import check_number

__all__ = ["deadline", "limit", "time_left"]

_until: ContextVar[tuple[float, Clock] | None] = ContextVar("tenuto_deadline", default=None)


@contextmanager
def deadline(seconds: float, *, clock: Clock = SYSTEM_CLOCK) -> Generator[None, None, None]:
    """Everything in the block should be over in ``seconds``; also works as a decorator.

    A deadline stops nothing that runs: it binds waits. A retry that would have to wait past it
    gives up at once. A deadline inside a tighter one changes nothing.
    """
    check_number("deadline", seconds, least=0.0)
    left = time_left()
    if left is not None:
        seconds = min(seconds, left)
    token = _until.set((clock.monotonic() + seconds, clock))
    try:
        yield
    finally:
        _until.reset(token)


limit = _until.get
"""The tightest deadline around this line, None where there is none: what is asked most often."""


def time_left() -> float | None:
    """Seconds until the tightest deadline around this line; None: there is no deadline."""
    limit = _until.get()
    if limit is None:
        return None
    at, clock = limit
    return at - clock.monotonic()
