"""Where an exception comes from, and whether an inner retry has given up on it already."""

from __future__ import annotations

import math
import sys
from contextlib import suppress

from tenuto.errors import FaultClass, RefusedError

__all__ = [
    "giving_up",
    "is_neutral",
    "is_refusal",
    "mark_given_up",
    "past_of",
]

_MARK = "_tenuto_given_up"
_MAX_LINEAGE = 32  # chains of causes can be made endless


class _Counter:
    """How many retries of this process have given up so far.

    Read at the start of a call, it tells marks made during the call from older ones, which stay
    on an exception object that is raised again and again.
    """

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


giving_up = _Counter()


class _Mark:
    """Put on an exception that a retry gave up on."""

    __slots__ = ("serial",)

    def __init__(self, serial: float) -> None:
        self.serial = serial

    def __reduce__(self) -> tuple[type[_Mark], tuple[float]]:
        # Another process counts for itself; what arrives from there has just been given up.
        return _Mark, (math.inf,)


def mark_given_up(error: BaseException) -> None:
    """Tell the retries further out that repeating ``error`` would multiply the attempts."""
    giving_up.count += 1
    with suppress(Exception):  # an error that takes no attributes goes unmarked
        setattr(error, _MARK, _Mark(giving_up.count))


def past_of(
    error: BaseException, handled: BaseException | None = None
) -> tuple[float, RefusedError | None]:
    """What happened to ``error``, and to what it comes from, further in.

    When a retry last gave up on it, to be compared with what ``giving_up.count`` was before (-1:
    none did), and the refusal behind it: a policy let the call not through, so nothing was reached.
    """
    if error.__context__ is None and error.__cause__ is None:
        serial = -1.0 if getattr(error, _MARK, None) is None else _serial(error)
        return serial, error if isinstance(error, RefusedError) else None
    lineage = _lineage(error, handled)
    refusals = (ancestor for ancestor in lineage if isinstance(ancestor, RefusedError))
    return max(map(_serial, lineage)), next(refusals, None)


def is_refusal(error: BaseException) -> bool:
    """Whether there is a refusal behind ``error``."""
    return past_of(error)[1] is not None


def is_neutral(error: BaseException, fault: FaultClass) -> bool:
    """Whether ``error``, of the class ``fault``, is nobody's: somebody asked the work to stop.

    So is whatever is not an ``Exception``: ``KeyboardInterrupt``, ``CancelledError``, ….
    """
    return not isinstance(error, Exception) or fault is FaultClass.CANCELLED


def _lineage(error: BaseException, handled: BaseException | None) -> list[BaseException]:
    """``error`` and what it was raised from, or while handling, newest first.

    An exception that the caller was handling before it made the call is no ancestor. That is
    ``handled`` or, outside the exit of a ``with`` block, whatever is being handled here.
    """
    if handled is None:
        handled = sys.exception()
        if handled is error:
            handled = None
    ancestors: list[BaseException] = []
    ancestor: BaseException | None = error
    while ancestor is not None and ancestor is not handled:
        ancestors.append(ancestor)
        if len(ancestors) == _MAX_LINEAGE:
            break
        origin = ancestor.__cause__
        if origin is None and not ancestor.__suppress_context__:
            origin = ancestor.__context__
        ancestor = origin
    return ancestors


def _serial(error: BaseException) -> float:
    """When ``error`` was marked, as a number that grows; -1 where it was not."""
    mark = getattr(error, _MARK, None)
    return mark.serial if isinstance(mark, _Mark) else -1.0
