"""One exception object is one event, however many layers see it."""

from __future__ import annotations

import os
from itertools import count

from tenuto.clock import SYSTEM_CLOCK, Clock

from .peek import dict_of

__all__ = ["captured_id", "claim", "new_id", "stamp"]

_STAMP = "__tenuto_event__"
_CLAIM = "__tenuto_claim__"
_count = count()


def new_id(clock: Clock = SYSTEM_CLOCK) -> str:
    """32 hexadecimal digits that sort by time: milliseconds, a count, and chance."""
    milliseconds = int(clock.now() * 1000) & 0xFFFF_FFFF_FFFF
    # With the process, because a forked child may go on with its parent's random numbers.
    chance = int(clock.random() * 2**32) << 32 | int(clock.random() * 2**32) ^ os.getpid()
    return f"{milliseconds:012x}{next(_count) & 0xFFFF:04x}{chance:016x}"


def captured_id(error: BaseException) -> str | None:
    """The id of the event that ``error`` has become; None if it has not been captured."""
    try:
        found = dict_of(error).get(_STAMP)
    except TypeError:  # no exception at all
        return None
    return found if type(found) is str else None


def stamp(error: BaseException, event_id: str) -> str:
    """Mark ``error`` as captured; returns its id, which is the first it was given.

    The mark goes with the exception through pickling and process pools.
    """
    try:
        # One step under the interpreter's lock: of two threads, one wins.
        found = dict_of(error).setdefault(_STAMP, event_id)
    except TypeError:  # no exception at all, and so not to be marked
        return event_id
    return found if type(found) is str else event_id


def claim(error: BaseException) -> bool:
    """True for whoever asks first: it is theirs to store ``error``, and nobody else's.

    The answer, too, goes with the exception through pickling and process pools.
    """
    try:
        mine = new_id()
        return bool(dict_of(error).setdefault(_CLAIM, mine) == mine)
    except TypeError:  # no exception at all: rather stored twice than never
        return True
