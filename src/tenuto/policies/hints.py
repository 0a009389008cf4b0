"""When a server that failed says it wants to be asked again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any, TypeAlias

from tenuto.clock import SYSTEM_CLOCK, Clock

from .events import hook_failed

__all__ = ["Hint", "careful", "sane_seconds", "server_hint"]

Hint: TypeAlias = Callable[[BaseException], float | None]
"""Seconds to wait before the call is repeated, by the error it ended with; None: no hint."""

_LONGEST = 366 * 86_400.0  # seconds; beyond it, a hint is a timestamp or nonsense
_LONGEST_TEXT = 64  # characters
_MOST_CAUSES = 8


def server_hint(error: BaseException, clock: Clock = SYSTEM_CLOCK) -> float | None:
    """Seconds to wait, as the server said with ``error``, or with what it was raised from.

    That is ``error.retry_after`` (a number of seconds, a ``timedelta``, or a text as in the
    header), or else the header ``Retry-After`` (RFC 9110, section 10.2.3: seconds, or a date)
    among ``error.response.headers``, as httpx and requests keep it, or ``error.headers``, as
    urllib and aiohttp do. None where there is no hint, or none that makes sense: negative, zero,
    not finite, longer than a year, a date in the past. Never raises.
    """
    origin: BaseException | None = error
    try:
        if (
            getattr(error, "retry_after", None) is None
            and getattr(error, "response", None) is None
            and getattr(error, "headers", None) is None
            and error.__cause__ is None
        ):
            return None  # nearly always, and so it had better be quick
        for _ in range(_MOST_CAUSES):
            if origin is None:
                break
            own = getattr(origin, "retry_after", None)
            if own is not None and (seconds := _seconds(own, clock)) is not None:
                return seconds
            for holder in (getattr(origin, "response", None), origin):
                headers = getattr(holder, "headers", None)
                if headers is not None and (seconds := _from_headers(headers, clock)) is not None:
                    return seconds
            origin = origin.__cause__
    except Exception:  # whatever a client library keeps there: no answer is an answer
        return None
    return None


def careful(hint: Hint, error: BaseException) -> float | None:
    """What ``hint`` says of ``error``, if it makes sense."""
    try:
        return sane_seconds(hint(error))
    except Exception as broken:  # a hint's bug is counted, and there is still the backoff
        hook_failed(broken)
        return None


def sane_seconds(value: object) -> float | None:
    """``value`` as a wait; None where it is not one that anybody can mean."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 < value <= _LONGEST else None


def _from_headers(headers: Any, clock: Clock) -> float | None:
    # Clients' own mappings do not mind the case; a plain dict does.
    text = headers.get("Retry-After") or headers.get("retry-after")
    return _seconds(text, clock) if isinstance(text, str) else None


def _seconds(value: object, clock: Clock) -> float | None:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    elif isinstance(value, str):
        text = value.strip()
        if len(text) > _LONGEST_TEXT:
            return None
        try:
            value = float(text)
        except ValueError:
            value = _until(text, clock)
    return sane_seconds(value)


def _until(date: str, clock: Clock) -> float:
    """Seconds until ``date``; raises ValueError where it is none."""
    from email.utils import parsedate_to_datetime  # 10 ms to import, and seldom needed

    moment = parsedate_to_datetime(date)
    if moment.tzinfo is None:  # what "-0000" means: UTC, from somewhere unknown
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() - clock.now()
